// Add of two activations: sums of residual branches stay integers.
#include "quant/rule.h"

const oq_rule oq_rule_Add = {.op_type = "Add", .kind = OQ_RULE_ELEMENTWISE, .all_inputs = true};
