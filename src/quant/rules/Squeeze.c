// Squeeze: the same elements under another shape.
#include "quant/rule.h"

const oq_rule oq_rule_Squeeze = {
    .op_type = "Squeeze", .kind = OQ_RULE_PASSTHROUGH, .early = true, .axis_behind = oq_axis_reshaped};
