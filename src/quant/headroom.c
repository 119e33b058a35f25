// Room for what the samples did not show, at the outputs of layers behind which nothing is quantized any
// more. The error of such a grid is made once and goes through no further layer, so levels are at hand there;
// a detector's scores, on the other hand, are low nearly everywhere, and a grid that ends at the best score
// of the samples gives every better one that came later the same, cut off.
#include "quant/plan.h"

#include <math.h>

// Share of the range that is added at either end.
#define HEADROOM 0.125
// A Sigmoid's input reaches at least this far to both sides: scores of .02 and .98.
#define LEAST_LOGIT 4.0

// Marks the values that no layer reads, nor anything that is computed from them.
void oq_plan_find_tails(oq_plan *plan) {
    for (size_t v = 0; v < plan->value_count; v++) plan->tail[v] = true;
    for (size_t i = plan->order_count; i-- > 0;) {
        const oq_node *node = oq_graph_node(plan->graph, plan->order[i]);
        const int32_t index = plan->layer_of[node->id];
        bool leads_on = index >= 0 && !plan->layers[index].dropped;
        for (size_t k = 0; k < node->output_count; k++)
            leads_on |= node->outputs[k] != OQ_NONE && !plan->tail[node->outputs[k]];
        for (size_t k = 0; leads_on && k < node->input_count; k++)
            if (node->inputs[k] != OQ_NONE) plan->tail[node->inputs[k]] = false;
        for (size_t k = 0; k < node->capture_count; k++) plan->tail[node->captures[k]] = false;
    }
}

// Whether the model's scores are made of the value, also behind nodes that move its elements.
static bool makes_scores(const oq_plan *plan, oq_value_id id) {
    const oq_gvalue *value = oq_graph_value(plan->graph, id);
    for (size_t u = 0; u < value->use_count; u++) {
        const oq_node *node = oq_graph_node(plan->graph, value->uses[u].node);
        if (oq_node_is(node, "Sigmoid") && node->region == OQ_NONE && plan->tail[node->outputs[0]])
            return true;
        for (size_t k = 0; plan->rules[node->id] && k < node->output_count; k++)
            if (node->outputs[k] != OQ_NONE && makes_scores(plan, node->outputs[k])) return true;
    }
    return false;
}

bool oq_plan_has_headroom(const oq_plan *plan, oq_value_id value) {
    return plan->options.method == OQ_RANGE_AUTO && !plan->stats->given &&
           (plan->tail[value] || makes_scores(plan, value));
}

oq_range oq_plan_with_headroom(const oq_plan *plan, oq_value_id value, const oq_range *seen) {
    const double room = HEADROOM * (seen->max - seen->min);
    const oq_range limits = oq_plan_limits(plan, value);
    oq_range range = {seen->min - room, seen->max + room};
    if (makes_scores(plan, value))
        range = (oq_range){fmin(range.min, -LEAST_LOGIT), fmax(range.max, LEAST_LOGIT)};
    return (oq_range){fmax(range.min, limits.min), fmin(range.max, limits.max)};
}
