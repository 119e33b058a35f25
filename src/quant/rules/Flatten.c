// Flatten: the same elements under another shape.
#include "quant/rule.h"

const oq_rule oq_rule_Flatten = {
    .op_type = "Flatten", .kind = OQ_RULE_PASSTHROUGH, .early = true, .axis_behind = oq_axis_reshaped};
