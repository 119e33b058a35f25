// The table of sensitivity: layers by what they cost at the outputs.
#include "report/json.h"

#include <math.h>

static json_t *layer_json(const oq_graph *graph, const oq_layer_loss *loss, double macs) {
    char label[160];
    json_t *out = json_object();
    const oq_node *node = oq_graph_node(graph, loss->node);
    json_object_set_new(out, "node", json_string(oq_node_label(node, label, sizeof label)));
    json_object_set_new(out, "op", json_string(node->op_type));
    json_object_set_new(out, "loss", oq_json_real(loss->loss));
    json_object_set_new(out, "sqnr_db", oq_json_real(loss->sqnr));
    if (!isnan(loss->divergence)) json_object_set_new(out, "divergence_nats", oq_json_real(loss->divergence));
    if (!isnan(loss->agreement)) json_object_set_new(out, "agreement", oq_json_real(loss->agreement));
    json_object_set_new(out, "macs", json_integer((json_int_t)loss->macs));
    json_object_set_new(out, "macs_share", oq_json_real(macs > 0 ? (double)loss->macs / macs : 0.));
    return out;
}

static void print_figure(const json_t *layer, const char *key, const char *format, oq_text *into) {
    const double value = oq_json_number(layer, key);
    if (isnan(value))
        oq_text_printf(into, " %9s", "-");
    else
        oq_text_printf(into, format, value);
}

static void print_layer(const json_t *layer, oq_text *into) {
    oq_text_printf(into, "%10.3g", oq_json_number(layer, "loss"));
    print_figure(layer, "sqnr_db", " %9.2f", into);
    print_figure(layer, "divergence_nats", " %9.2g", into);
    print_figure(layer, "agreement", " %9.4f", into);
    oq_text_printf(into, " %6.1f  %s (%s)\n", 100 * oq_json_number(layer, "macs_share"),
                   oq_json_text(layer, "node"), oq_json_text(layer, "op"));
}

static void print(const json_t *root, oq_text *into) {
    size_t index;
    json_t *layer;
    const json_t *layers = json_object_get(root, "layers");
    oq_text_printf(
        into, "%zu layers, each quantized alone, on %zu samples; cost: %.1f runs of the model a sample\n",
        json_array_size(layers), oq_json_count(root, "samples"), oq_json_number(root, "passes"));
    if (json_array_size(layers))
        oq_text_printf(into, "%10s %9s %9s %9s %6s  %s\n", "loss", "SQNR dB", "KL nats", "agreement",
                       "MACs %", "layer");
    json_array_foreach(layers, index, layer) print_layer(layer, into);
}

oq_status oq_report_sensitivity(oq_mem *mem, const oq_graph *graph, const oq_sensitivity *found,
                                oq_report *out, oq_error *err) {
    json_t *root = json_object(), *layers = json_array();
    double macs = 0;
    for (size_t i = 0; i < graph->node_count; i++)
        if (!graph->nodes[i]->dead) macs += (double)oq_op_macs(graph, graph->nodes[i]);
    json_object_set_new(root, "samples", json_integer((json_int_t)found->samples));
    json_object_set_new(root, "passes", oq_json_real(found->passes));
    for (size_t i = 0; i < found->count; i++)
        json_array_append_new(layers, layer_json(graph, &found->layers[i], macs));
    json_object_set_new(root, "layers", layers);
    return oq_report_finish(mem, root, print, out, err);
}
