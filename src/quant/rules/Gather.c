// Gather: chosen elements of its data input; a range measured behind it is tighter, so it does not pull.
#include "quant/rule.h"

static bool weight_axes(const oq_node *node, size_t index, const oq_shape *shape, oq_weight_axes *out) {
    *out = (oq_weight_axes){.channel = 0, .reduction = -1, .rows = true};
    return index == 0 && shape->rank >= 2 && oq_node_int(node, "axis", 0) == 0;
}

const oq_rule oq_rule_Gather = {.op_type = "Gather", .kind = OQ_RULE_PASSTHROUGH, .weight_axes = weight_axes};
