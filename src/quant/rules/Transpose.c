// Transpose: the same elements in another order.
#include "quant/rule.h"

// Without perm the axes are reversed.
static int axis_behind(oq_graph *graph, const oq_node *node, int axis) {
    const oq_type *type = &oq_graph_value(graph, node->inputs[0])->type;
    size_t count;
    const int64_t *perm = oq_node_ints(node, "perm", &count);
    for (size_t i = 0; i < count; i++)
        if (perm[i] == axis) return (int)i;
    return !count && type->kind == OQ_TYPE_TENSOR && type->rank > axis ? type->rank - 1 - axis : -1;
}

const oq_rule oq_rule_Transpose = {
    .op_type = "Transpose", .kind = OQ_RULE_PASSTHROUGH, .early = true, .axis_behind = axis_behind};
