// Split: parts of the elements, all with the parameters of the whole.
#include "quant/rule.h"

const oq_rule oq_rule_Split = {.op_type = "Split", .kind = OQ_RULE_PASSTHROUGH};
