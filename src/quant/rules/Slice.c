// Slice: a part of the elements; a range measured behind it is tighter, so it does not pull QuantizeLinear
// up.
#include "quant/rule.h"

// An axis is whole when its size stays.
static int axis_behind(oq_graph *graph, const oq_node *node, int axis) {
    const oq_type *from = &oq_graph_value(graph, node->inputs[0])->type,
                  *to = &oq_graph_value(graph, node->outputs[0])->type;
    if (from->kind != OQ_TYPE_TENSOR || to->kind != OQ_TYPE_TENSOR || axis >= from->rank || axis >= to->rank)
        return -1;
    // Equal sizes are not enough where a negative step turns the order around.
    const bool steps = node->input_count > 4 && node->inputs[4] != OQ_NONE;
    return !steps && oq_dim_known(from->dim[axis]) && oq_dim_same(from->dim[axis], to->dim[axis]) ? axis : -1;
}

const oq_rule oq_rule_Slice = {.op_type = "Slice", .kind = OQ_RULE_PASSTHROUGH, .axis_behind = axis_behind};
