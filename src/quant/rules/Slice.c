// Slice: a part of the elements; a range measured behind it is tighter, so it does not pull QuantizeLinear
// up.
#include "quant/rule.h"

const oq_rule oq_rule_Slice = {.op_type = "Slice", .kind = OQ_RULE_PASSTHROUGH};
