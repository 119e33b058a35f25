// Concat: all inputs side by side, under one set of parameters (the planner bounds how far their ranges may
// differ).
#include "quant/rule.h"

const oq_rule oq_rule_Concat = {.op_type = "Concat", .kind = OQ_RULE_PASSTHROUGH, .all_inputs = true};
