// Mul of two activations: gates by Sigmoid or HardSigmoid, squeeze and excitation. Or of one and a number.
#include "quant/rule.h"

// x times a function of x alone belongs together even where it was recognised as one (HardSwish, SiLU).
static bool fits(oq_graph *graph, const oq_node *node) {
    return node->region == OQ_NONE || oq_rule_is_gated(graph, node);
}

const oq_rule oq_rule_Mul = {
    .op_type = "Mul", .kind = OQ_RULE_ELEMENTWISE, .all_inputs = true, .scalars = true, .fits = fits};
