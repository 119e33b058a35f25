// AveragePool on integers: sums are exact, means have a range of their own.
#include "quant/rule.h"

const oq_rule oq_rule_AveragePool = {.op_type = "AveragePool", .kind = OQ_RULE_ELEMENTWISE};
