// Expand: copies of the elements.
#include "quant/rule.h"

const oq_rule oq_rule_Expand = {.op_type = "Expand", .kind = OQ_RULE_PASSTHROUGH, .early = true};
