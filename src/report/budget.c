// A budget in a report: whether it holds, and the layers that it costs.
#include "report/json.h"

#include <math.h>

static json_t *layer_json(const oq_graph *graph, const oq_layer_loss *loss) {
    char label[160];
    const oq_node *node = oq_graph_node(graph, loss->node);
    json_t *out = json_object();
    json_object_set_new(out, "node", json_string(oq_node_label(node, label, sizeof label)));
    json_object_set_new(out, "op", json_string(node->op_type));
    json_object_set_new(out, "loss", oq_json_real(loss->loss));
    json_object_set_new(out, "sqnr_db", oq_json_real(loss->sqnr));
    json_object_set_new(out, "macs", json_integer((json_int_t)loss->macs));
    return out;
}

json_t *oq_json_budget(const oq_graph *graph, oq_metric metric, double asked, const oq_budget *budget) {
    json_t *out = json_object(), *reverted = json_array();
    double macs = 0, total = 0;
    for (size_t i = 0; i < graph->node_count; i++)
        if (!graph->nodes[i]->dead) total += (double)oq_op_macs(graph, graph->nodes[i]);
    for (size_t i = 0; i < budget->reverted_count; i++) {
        macs += (double)budget->reverted[i].macs;
        json_array_append_new(reverted, layer_json(graph, &budget->reverted[i]));
    }
    json_object_set_new(out, "metric", json_string(oq_metric_name(metric)));
    json_object_set_new(out, "asked", oq_json_real(asked));
    json_object_set_new(out, "held", json_boolean(budget->met));
    json_object_set_new(out, "before", oq_json_real(budget->before));
    json_object_set_new(out, "after", oq_json_real(budget->after));
    json_object_set_new(out, "judged_on", json_integer((json_int_t)budget->samples));
    json_object_set_new(out, "plans", json_integer((json_int_t)budget->plans));
    json_object_set_new(out, "macs_share", oq_json_real(total > 0 ? macs / total : 0.));
    json_object_set_new(out, "reverted_to", json_string(budget->wide ? "16 bits" : "float"));
    json_object_set_new(out, "reverted", reverted);
    return out;
}

static void print_figure(double value, oq_text *into) {
    if (isnan(value))
        oq_text_add(into, "exact");
    else
        oq_text_printf(into, "%.4g", value);
}

void oq_print_budget(const json_t *budget, oq_text *into) {
    size_t index;
    json_t *layer;
    if (!json_is_object(budget)) return;
    const json_t *reverted = json_object_get(budget, "reverted");
    oq_text_printf(into, "budget %s=%g: %s, ", oq_json_text(budget, "metric"),
                   oq_json_number(budget, "asked"),
                   json_is_true(json_object_get(budget, "held")) ? "held" : "NOT held; the best found");
    print_figure(oq_json_number(budget, "after"), into);
    oq_text_printf(into,
                   " on %zu samples held out (all layers quantized: ", oq_json_count(budget, "judged_on"));
    print_figure(oq_json_number(budget, "before"), into);
    oq_text_printf(into,
                   "); %zu layers reverted%s%s, %.1f %% of the multiply-accumulates; %zu plans judged\n",
                   json_array_size(reverted), json_array_size(reverted) ? " to " : "",
                   json_array_size(reverted) ? oq_json_text(budget, "reverted_to") : "",
                   100 * oq_json_number(budget, "macs_share"), oq_json_count(budget, "plans"));
    json_array_foreach(reverted, index, layer) {
        oq_text_printf(into, "  %s (%s): loss %.3g alone", oq_json_text(layer, "node"),
                       oq_json_text(layer, "op"), oq_json_number(layer, "loss"));
        oq_text_printf(into, ", SQNR %.2f dB\n", oq_json_number(layer, "sqnr_db"));
    }
}
