// Unsqueeze: the same elements under another shape.
#include "quant/rule.h"

const oq_rule oq_rule_Unsqueeze = {
    .op_type = "Unsqueeze", .kind = OQ_RULE_PASSTHROUGH, .early = true, .axis_behind = oq_axis_reshaped};
