// Sigmoid on integers: 256 values, on a grid of 0..1.
#include "quant/rule.h"

static bool fits(oq_graph *graph, const oq_node *node) {
    return node->region == OQ_NONE || oq_rule_is_gate(graph, node);
}

const oq_rule oq_rule_Sigmoid = {.op_type = "Sigmoid", .kind = OQ_RULE_ELEMENTWISE, .fits = fits};
