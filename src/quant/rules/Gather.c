// Gather: chosen elements of its data input; a range measured behind it is tighter, so it does not pull.
#include "quant/rule.h"

const oq_rule oq_rule_Gather = {.op_type = "Gather", .kind = OQ_RULE_PASSTHROUGH};
