// HardSigmoid on integers: shifted and scaled, and the ends of the grid of 0..1 are its clip.
#include "quant/rule.h"

static bool fits(oq_graph *graph, const oq_node *node) {
    const double alpha = (double)oq_node_float(node, "alpha", .2f),
                 beta = (double)oq_node_float(node, "beta", .5f);
    return alpha > 0 && beta > 0 && (node->region == OQ_NONE || oq_rule_is_gate(graph, node));
}

// alpha x + beta = (x + beta / alpha) alpha
static void shift(const oq_node *node, double *addend, double *factor) {
    *factor = (double)oq_node_float(node, "alpha", .2f);
    *addend = (double)oq_node_float(node, "beta", .5f) / *factor;
}

const oq_rule oq_rule_HardSigmoid = {
    .op_type = "HardSigmoid", .kind = OQ_RULE_ELEMENTWISE, .fits = fits, .shift = shift};
