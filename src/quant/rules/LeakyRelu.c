// LeakyRelu on integers: 256 values, on a grid of its own.
#include "quant/rule.h"

const oq_rule oq_rule_LeakyRelu = {.op_type = "LeakyRelu", .kind = OQ_RULE_ELEMENTWISE};
