// Add of two activations: sums of residual branches stay integers. Or of one and a number.
#include "quant/rule.h"

// The first step of a function that was recognised as a whole is no sum of its own.
static bool fits(oq_graph *graph, const oq_node *node) {
    (void)graph;
    return node->region == OQ_NONE;
}

const oq_rule oq_rule_Add = {
    .op_type = "Add", .kind = OQ_RULE_ELEMENTWISE, .all_inputs = true, .scalars = true, .fits = fits};
