// GlobalAveragePool on integers: sums are exact, means have a range of their own.
#include "quant/rule.h"

const oq_rule oq_rule_GlobalAveragePool = {.op_type = "GlobalAveragePool", .kind = OQ_RULE_ELEMENTWISE};
