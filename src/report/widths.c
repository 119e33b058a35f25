// Widths chosen for a size, in a report: whether the target is met, and what each layer got and lost.
#include "report/json.h"

static json_t *layer_json(const oq_graph *graph, const oq_layer_width *layer) {
    char label[160];
    const oq_node *node = oq_graph_node(graph, layer->node);
    json_t *out = json_object();
    json_object_set_new(out, "node", json_string(oq_node_label(node, label, sizeof label)));
    json_object_set_new(out, "op", json_string(node->op_type));
    json_object_set_new(out, "weights", json_integer((json_int_t)layer->elements));
    json_object_set_new(out, "weight_bits", json_integer(layer->bits));
    json_object_set_new(out, "fixed", json_boolean(layer->fixed));
    json_object_set_new(out, "loss", oq_json_real(layer->loss));
    json_object_set_new(out, "loss_at_most_bits", oq_json_real(layer->full));
    return out;
}

json_t *oq_json_widths(const oq_graph *graph, oq_size_goal goal, double target, const oq_widths *widths) {
    json_t *out = json_object(), *layers = json_array();
    for (size_t i = 0; i < widths->count; i++)
        json_array_append_new(layers, layer_json(graph, &widths->layers[i]));
    json_object_set_new(out, "goal", json_string(goal == OQ_GOAL_BYTES ? "bytes" : "bits"));
    json_object_set_new(out, "asked", oq_json_real(target));
    json_object_set_new(out, "met", json_boolean(widths->met));
    json_object_set_new(out, "mean_bits", oq_json_real(widths->bits));
    // What corrections of biases add to the file comes later: see weight_bytes_after.
    if (goal == OQ_GOAL_BYTES) json_object_set_new(out, "bytes", oq_json_real(widths->reached));
    json_object_set_new(out, "measured_on", json_integer((json_int_t)widths->samples));
    json_object_set_new(out, "layers", layers);
    return out;
}

void oq_print_widths(const json_t *widths, oq_text *into) {
    char asked[24], bytes[24];
    size_t index;
    json_t *layer;
    if (!json_is_object(widths)) return;
    const char *met = json_is_true(json_object_get(widths, "met")) ? "met" : "NOT met; the smallest has";
    if (json_object_get(widths, "bytes"))
        oq_text_printf(into, "target size %s: %s, %s, weights of %.2f bits in the mean\n",
                       oq_format_bytes(asked, sizeof asked, (uint64_t)oq_json_number(widths, "asked")), met,
                       oq_format_bytes(bytes, sizeof bytes, (uint64_t)oq_json_number(widths, "bytes")),
                       oq_json_number(widths, "mean_bits"));
    else
        oq_text_printf(into, "target of %g bits: %s, weights of %.2f bits in the mean\n",
                       oq_json_number(widths, "asked"), met, oq_json_number(widths, "mean_bits"));
    oq_text_printf(into, "%4s %10s %10s  %s (loss: of the layer alone, on %zu samples)\n", "bits", "weights",
                   "loss", "layer", oq_json_count(widths, "measured_on"));
    json_array_foreach(json_object_get(widths, "layers"), index, layer) oq_text_printf(
        into, "%4zu %10zu %10.3g  %s (%s)%s\n", oq_json_count(layer, "weight_bits"),
        oq_json_count(layer, "weights"), oq_json_number(layer, "loss"), oq_json_text(layer, "node"),
        oq_json_text(layer, "op"), json_is_true(json_object_get(layer, "fixed")) ? ", as asked" : "");
}
