// Identity: the same tensor.
#include "quant/rule.h"

const oq_rule oq_rule_Identity = {
    .op_type = "Identity", .kind = OQ_RULE_PASSTHROUGH, .early = true, .axis_behind = oq_axis_reshaped};
