// Transpose: the same elements in another order.
#include "quant/rule.h"

const oq_rule oq_rule_Transpose = {.op_type = "Transpose", .kind = OQ_RULE_PASSTHROUGH, .early = true};
