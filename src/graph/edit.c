// Edits of graphs: inputs and outputs of nodes, uses, removal, names.
#include "graph/storage.h"

#include <string.h>

// Grows a node's list of inputs or outputs with OQ_NONE so that `index` is in it.
static oq_status reach(oq_graph *graph, oq_value_id **ids, size_t *count, size_t index, oq_error *err) {
    if (index < *count) return ONNXQ_OK;
    if (index >= INT32_MAX)
        return oq_fail(err, ONNXQ_INTERNAL, "a node cannot have %zu inputs or outputs", index);
    oq_value_id *grown = oq_arena_calloc(&graph->model->arena, index + 1, sizeof *grown, err);
    if (!grown) return ONNXQ_NO_MEMORY;
    if (*count) memcpy(grown, *ids, *count * sizeof *grown);
    for (size_t i = *count; i <= index; i++) grown[i] = OQ_NONE;
    *ids = grown;
    *count = index + 1;
    return ONNXQ_OK;
}

oq_status oq_node_set_input(oq_graph *graph, oq_node *node, size_t index, oq_value_id value, oq_error *err) {
    if (index >= node->input_count) {
        // Captures are counted behind the inputs, so their uses get new numbers; the lists have room for
        // them.
        oq_node_detach(graph, node);
        const oq_status status = reach(graph, &node->inputs, &node->input_count, index, err);
        OQ_TRY(oq_node_attach(graph, node, err));
        OQ_TRY(status);
    }
    if (node->inputs[index] == value) return ONNXQ_OK;
    OQ_TRY(oq_use_add(graph, value, node->id, index, err));
    oq_use_remove(graph, node->inputs[index], node->id, index);
    node->inputs[index] = value;
    oq_graph_touch_node(graph, node);
    return ONNXQ_OK;
}

oq_status oq_node_keep_inputs(oq_graph *graph, oq_node *node, size_t count, oq_error *err) {
    if (count >= node->input_count) return ONNXQ_OK;
    oq_node_detach(graph, node);
    node->input_count = count;
    oq_graph_touch_node(graph, node);
    return oq_node_attach(graph, node, err);
}

oq_status oq_node_set_output(oq_graph *graph, oq_node *node, size_t index, oq_value_id value, oq_error *err) {
    if (index < node->output_count && node->outputs[index] == value) return ONNXQ_OK;
    oq_gvalue *v = value == OQ_NONE ? NULL : graph->values[value];
    if (v && (v->producer != OQ_NONE || v->is_input || v->is_capture || v->initializer))
        return oq_fail(err, ONNXQ_INTERNAL, "value '%s' cannot get a second producer", v->name);
    OQ_TRY(reach(graph, &node->outputs, &node->output_count, index, err));
    const oq_value_id old = node->outputs[index];
    if (old != OQ_NONE) graph->values[old]->producer = OQ_NONE;
    node->outputs[index] = value;
    if (v) {
        v->producer = node->id;
        v->output = (int32_t)index;
        v->made = NULL;
    }
    oq_graph_touch_node(graph, node);
    return ONNXQ_OK;
}

// Points the uses of `from` as inputs at `to`; those as captures stay.
static oq_status redirect_inputs(oq_graph *graph, oq_value_id from, oq_value_id to, oq_error *err) {
    oq_gvalue *old = graph->values[from];
    oq_status status = ONNXQ_OK;
    size_t kept = 0;
    for (size_t i = 0; i < old->use_count; i++) {
        const oq_use use = old->uses[i];
        oq_node *node = graph->nodes[use.node];
        const bool is_input = use.input < (int32_t)node->input_count;
        if (is_input && status == ONNXQ_OK) status = oq_use_add(graph, to, use.node, (size_t)use.input, err);
        if (is_input && status == ONNXQ_OK) {
            node->inputs[use.input] = to;
            oq_graph_touch_node(graph, node);
        } else {
            old->uses[kept++] = use;
        }
    }
    old->use_count = kept;
    return status;
}

oq_status oq_graph_replace_uses(oq_graph *graph, oq_value_id from, oq_value_id to, bool outputs,
                                oq_error *err) {
    if (from == to) return ONNXQ_OK;
    oq_gvalue *old = graph->values[from];
    oq_gvalue *new = graph->values[to];
    OQ_TRY(redirect_inputs(graph, from, to, err));
    while (old->use_count) { // captures; each deletes its use itself
        oq_node *node = graph->nodes[old->uses[0].node];
        OQ_TRY(oq_capture_replace(graph, node, (size_t)old->uses[0].input - node->input_count, to, err));
    }
    if (!outputs || !old->is_output) return ONNXQ_OK;
    for (size_t i = 0; i < graph->output_count; i++)
        if (graph->outputs[i] == from) graph->outputs[i] = to;
    old->is_output = false;
    new->is_output = true;
    oq_graph_touch_value(graph, from);
    oq_graph_touch_value(graph, to);
    return ONNXQ_OK;
}

void oq_graph_remove_node(oq_graph *graph, oq_node *node) {
    if (node->dead) return;
    oq_graph_touch_node(graph, node);
    oq_node_detach(graph, node);
    for (size_t i = 0; i < node->output_count; i++)
        if (node->outputs[i] != OQ_NONE) graph->values[node->outputs[i]]->producer = OQ_NONE;
    node->dead = true;
}

void oq_graph_remove_initializer(oq_graph *graph, oq_value_id value) {
    oq_gvalue *v = graph->values[value];
    v->initializer = NULL;
    oq_graph_touch_value(graph, value);
    if (oq_value_is_idle(v)) oq_value_kill(graph, value);
}

oq_status oq_graph_rename(oq_graph *graph, oq_value_id value, const char *name, oq_error *err) {
    const oq_gvalue *v = graph->values[value];
    if (strcmp(v->name, name) == 0) return ONNXQ_OK;
    if (v->is_capture)
        return oq_fail(err, ONNXQ_INTERNAL, "'%s' belongs to the graph around and is renamed there", v->name);
    if (!name[0] || oq_graph_find(graph, name) != OQ_NONE)
        return oq_fail(err, ONNXQ_INTERNAL, "value '%s' cannot be renamed to '%s', which is taken", v->name,
                       name);
    return oq_value_rename(graph, value, name, err);
}
