// The plan in a report: which products run on integers, which stay float, and why.
#include "report/json.h"

#include <string.h>

static const char *const fates[] = {[OQ_FATE_FLOAT] = "float",
                                    [OQ_FATE_QUANTIZED] = "quantized",
                                    [OQ_FATE_PASSTHROUGH] = "passthrough",
                                    [OQ_FATE_ELEMENTWISE] = "elementwise",
                                    [OQ_FATE_FOLDED] = "folded"};

static json_t *row(const oq_node *node, const char *fate, const char *reason, uint64_t macs,
                   size_t narrowed) {
    char label[160];
    json_t *out = json_object();
    json_object_set_new(out, "node", json_string(oq_node_label(node, label, sizeof label)));
    json_object_set_new(out, "op", json_string(node->op_type));
    json_object_set_new(out, "fate", json_string(fate));
    if (reason) json_object_set_new(out, "reason", json_string(reason));
    json_object_set_new(out, "macs", json_integer((json_int_t)macs));
    if (narrowed) json_object_set_new(out, "narrowed_channels", json_integer((json_int_t)narrowed));
    return out;
}

// What guards keep float besides whole products.
static void add_guards(const oq_graph *graph, const oq_plan *plan, json_t *out) {
    json_t *guards = json_array();
    char label[160];
    for (size_t i = 0; i < graph->node_count; i++) {
        const oq_node *node = graph->nodes[i];
        const char *reason = node->dead ? NULL : oq_plan_node(plan, node->id)->guard;
        if (!reason) continue;
        json_t *one = json_object();
        json_object_set_new(one, "node", json_string(oq_node_label(node, label, sizeof label)));
        json_object_set_new(one, "op", json_string(node->op_type));
        json_object_set_new(one, "reason", json_string(reason));
        json_array_append_new(guards, one);
    }
    if (json_array_size(guards))
        json_object_set_new(out, "guards", guards);
    else
        json_decref(guards);
}

static bool has_row(const oq_node_plan *fate) { return fate->reason || fate->fate == OQ_FATE_QUANTIZED; }

json_t *oq_json_plan(const oq_graph *graph, const oq_plan *plan) {
    const oq_plan_summary summary = oq_plan_summarize(plan);
    json_t *out = json_object(), *nodes = json_array();
    json_object_set_new(out, "products", json_integer((json_int_t)summary.nodes));
    json_object_set_new(out, "quantized", json_integer((json_int_t)summary.quantized));
    json_object_set_new(out, "macs", json_integer((json_int_t)summary.macs));
    json_object_set_new(out, "macs_quantized", json_integer((json_int_t)summary.macs_quantized));
    if (summary.bounded)
        json_object_set_new(out, "ranges_from_bounds", json_integer((json_int_t)summary.bounded));
    for (size_t i = 0; i < graph->node_count; i++) {
        const oq_node *node = graph->nodes[i];
        const oq_node_plan *fate = node->dead ? NULL : oq_plan_node(plan, node->id);
        if (fate && has_row(fate))
            json_array_append_new(nodes,
                                  row(node, fates[fate->fate], fate->reason, fate->macs, fate->narrowed));
    }
    add_guards(graph, plan, out);
    size_t count;
    const oq_inner_node *inner = oq_plan_inner(plan, &count);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(nodes, row(inner[i].node, fates[OQ_FATE_FLOAT], inner[i].reason, 0, 0));
    json_object_set_new(out, "nodes", nodes);
    return out;
}

static void add_zero_channels(const oq_node_plan *fate, json_t *row) {
    if (!fate->zero_outputs && !fate->zero_inputs) return;
    json_t *own = json_object();
    json_object_set_new(own, "outputs", json_integer((json_int_t)fate->zero_outputs));
    json_object_set_new(own, "inputs", json_integer((json_int_t)fate->zero_inputs));
    json_object_set_new(row, "zero_channels", own);
}

void oq_json_plan_sizes(json_t *json, const oq_graph *graph, const oq_plan *plan) {
    json_t *operators = json_object();
    const json_t *rows = json_object_get(json, "nodes");
    size_t inner;
    oq_plan_inner(plan, &inner); // their rows come last
    const size_t count = json_array_size(rows) - inner;
    for (size_t i = 0, at = 0; at < count; i++) {
        const oq_node *node = graph->nodes[i]; // emission has taken it out, or made it
        const oq_node_plan *fate = oq_plan_node(plan, node->id);
        if (!has_row(fate)) continue;
        json_t *own = json_array_get(rows, at++);
        add_zero_channels(fate, own);
        if (!fate->weights.before) continue;
        json_object_set_new(own, "bytes_before", json_integer((json_int_t)fate->weights.before));
        json_object_set_new(own, "bytes_after", json_integer((json_int_t)fate->weights.after));
        oq_json_add_sizes(operators, node->op_type, fate->counted.before, fate->counted.after);
    }
    json_object_set_new(json, "operators", operators);
}

static void print_narrowed(const json_t *nodes, oq_text *into) {
    size_t index, layers = 0, channels = 0;
    json_t *node;
    json_array_foreach(nodes, index, node) {
        layers += json_object_get(node, "narrowed_channels") != NULL;
        channels += oq_json_count(node, "narrowed_channels");
    }
    if (layers)
        oq_text_printf(
            into,
            "weights of %zu output channels in %zu layers have a larger scale, so that sums of two "
            "products fit 16 bits\n",
            channels, layers);
}

static void print_zero_channels(const json_t *nodes, oq_text *into) {
    size_t index;
    json_t *node;
    bool title = false;
    json_array_foreach((json_t *)nodes, index, node) {
        const json_t *own = json_object_get(node, "zero_channels");
        if (!own) continue;
        if (!title) oq_text_add(into, "zero channels added (--no-zero-channels leaves them out):\n");
        title = true;
        oq_text_printf(into, "  %s (%s): %zu of the output, %zu of the input\n", oq_json_text(node, "node"),
                       oq_json_text(node, "op"), oq_json_count(own, "outputs"), oq_json_count(own, "inputs"));
    }
}

void oq_print_plan(const json_t *plan, oq_text *into) {
    const double macs = oq_json_number(plan, "macs"), share = oq_json_number(plan, "macs_quantized");
    oq_text_printf(
        into,
        "on integers: %zu of %zu matrix products and convolutions, %.1f %% of the multiply-accumulates\n",
        oq_json_count(plan, "quantized"), oq_json_count(plan, "products"),
        macs > 0 ? 100 * share / macs : 0.);
    if (json_object_size(json_object_get(plan, "operators"))) oq_text_add(into, "their weights:\n");
    oq_print_sizes(json_object_get(plan, "operators"), into);
    print_narrowed(json_object_get(plan, "nodes"), into);
    if (oq_json_count(plan, "ranges_from_bounds"))
        oq_text_printf(into, "ranges of %zu tensors follow from the model and its inputs' ranges alone\n",
                       oq_json_count(plan, "ranges_from_bounds"));
    bool title = false;
    size_t index;
    json_t *node;
    json_array_foreach(json_object_get(plan, "nodes"), index, node) {
        if (strcmp(oq_json_text(node, "fate"), "float") != 0) continue;
        if (!title) oq_text_add(into, "left float:\n");
        title = true;
        oq_text_printf(into, "  %s (%s, %.1f %%): %s\n", oq_json_text(node, "node"), oq_json_text(node, "op"),
                       macs > 0 ? 100 * oq_json_number(node, "macs") / macs : 0.,
                       oq_json_text(node, "reason"));
    }
    print_zero_channels(json_object_get(plan, "nodes"), into);
    const json_t *guards = json_object_get(plan, "guards");
    if (guards) oq_text_add(into, "guarded (--no-guards turns this off):\n");
    json_array_foreach((json_t *)guards, index, node)
        oq_text_printf(into, "  %s (%s): %s\n", oq_json_text(node, "node"), oq_json_text(node, "op"),
                       oq_json_text(node, "reason"));
}
