// MaxPool: the greatest of the integers is the integer of the greatest; padding never wins.
#include "quant/rule.h"

// The indices output has no integer counterpart worth having.
static bool moves(oq_graph *graph, const oq_node *node) {
    (void)graph;
    return node->output_count < 2 || node->outputs[1] == OQ_NONE;
}

static int axis_behind(oq_graph *graph, const oq_node *node, int axis) {
    (void)graph, (void)node;
    return axis < 2 ? axis : -1;
}

const oq_rule oq_rule_MaxPool = {
    .op_type = "MaxPool", .kind = OQ_RULE_PASSTHROUGH, .moves = moves, .axis_behind = axis_behind};
