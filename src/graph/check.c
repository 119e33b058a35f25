// The structural check: every value has one origin, every use its value, bodies and captures fit together.
#include "graph/storage.h"

#include <string.h>

// Says where the error lies: "node 'conv_3' (Conv): "; of nodes inside each other only the innermost.
static oq_status at_node(const oq_node *node, oq_status status, oq_error *err) {
    if (err && err->node[0]) return status;
    char label[128];
    const char *name = oq_node_label(node, label, sizeof label);
    oq_error_prefix(err, "node '%s' (%s): ", name, node->op_type);
    oq_error_at_node(err, name, node->op_type);
    return status;
}

static bool id_is_valid(const oq_graph *graph, oq_value_id id) {
    return id >= 0 && (size_t)id < graph->value_count && !graph->values[id]->dead;
}

// Whether the value comes from somewhere.
static bool has_origin(const oq_gvalue *value) {
    return value->producer != OQ_NONE || value->is_input || value->is_capture || value->initializer;
}

static oq_status check_read(const oq_graph *graph, oq_value_id id, oq_error *err) {
    if (id == OQ_NONE) return ONNXQ_OK;
    if (!id_is_valid(graph, id))
        return oq_fail(err, ONNXQ_BAD_MODEL, "it uses a value that was removed (number %d)", id);
    if (has_origin(graph->values[id])) return ONNXQ_OK;
    oq_fail(err, ONNXQ_BAD_MODEL, "it uses '%s', which no node, input or initializer produces",
            graph->values[id]->name);
    oq_error_at_tensor(err, graph->values[id]->name);
    return ONNXQ_BAD_MODEL;
}

static bool use_is_listed(const oq_gvalue *value, oq_node_id node, size_t input) {
    for (size_t i = 0; i < value->use_count; i++)
        if (value->uses[i].node == node && value->uses[i].input == (int32_t)input) return true;
    return false;
}

static oq_status check_reads(const oq_graph *graph, const oq_node *node, oq_error *err) {
    for (size_t i = 0; i < node->input_count + node->capture_count; i++) {
        const oq_value_id id =
            i < node->input_count ? node->inputs[i] : node->captures[i - node->input_count];
        OQ_TRY(check_read(graph, id, err));
        // Looking through the list of a value with very many uses would take quadratic time.
        if (id == OQ_NONE || graph->values[id]->use_count > 64) continue;
        if (!use_is_listed(graph->values[id], node->id, i))
            return oq_fail(err, ONNXQ_INTERNAL, "'%s' does not know that it is used here",
                           graph->values[id]->name);
    }
    return ONNXQ_OK;
}

static oq_status check_outputs(const oq_graph *graph, const oq_node *node, oq_error *err) {
    for (size_t i = 0; i < node->output_count; i++) {
        const oq_value_id id = node->outputs[i];
        if (id == OQ_NONE) continue;
        if (!id_is_valid(graph, id))
            return oq_fail(err, ONNXQ_BAD_MODEL, "its output %zu is a value that was removed", i);
        const oq_gvalue *value = graph->values[id];
        if (value->producer == node->id && value->output == (int32_t)i && !value->is_input &&
            !value->is_capture && !value->initializer)
            continue;
        oq_fail(err, ONNXQ_BAD_MODEL, "its output '%s' is also produced elsewhere", value->name);
        oq_error_at_tensor(err, value->name);
        return ONNXQ_BAD_MODEL;
    }
    return ONNXQ_OK;
}

typedef struct body_check {
    const oq_graph *graph;
    const oq_node *node;
    int depth;
} body_check;

static oq_status check_graph(const oq_graph *graph, int depth, oq_error *err);

static oq_status check_body(void *self, oq_graph *body, oq_error *err) {
    const body_check *check = self;
    if (body->parent != check->graph)
        return oq_fail(err, ONNXQ_INTERNAL, "the body '%s' belongs to another graph", body->name);
    if (body->capture_count > check->node->capture_count)
        return oq_fail(err, ONNXQ_INTERNAL, "the body '%s' captures more than its node", body->name);
    for (size_t k = 0; k < body->capture_count; k++) {
        if (body->captures[k] == OQ_NONE) continue;
        if (!id_is_valid(body, body->captures[k]) || !body->values[body->captures[k]]->is_capture)
            return oq_fail(err, ONNXQ_INTERNAL, "capture %zu of the body '%s' is none", k, body->name);
        const char *outer = check->graph->values[check->node->captures[k]]->name;
        if (strcmp(body->values[body->captures[k]]->name, outer) != 0)
            return oq_fail(err, ONNXQ_INTERNAL, "the body '%s' calls the outer value '%s' by another name",
                           body->name, outer);
    }
    return check_graph(body, check->depth + 1, err);
}

static oq_status check_node(const oq_graph *graph, const oq_node *node, int depth, oq_error *err) {
    if (!node->op_type[0]) return oq_fail(err, ONNXQ_BAD_MODEL, "it has no operator type");
    OQ_TRY(check_reads(graph, node, err));
    OQ_TRY(check_outputs(graph, node, err));
    body_check check = {.graph = graph, .node = node, .depth = depth};
    return oq_node_each_body(node, check_body, &check, err);
}

static oq_status check_values(const oq_graph *graph, oq_error *err) {
    for (size_t i = 0; i < graph->value_count; i++) {
        const oq_gvalue *value = graph->values[i];
        if (value->dead) continue;
        if (oq_graph_find(graph, value->name) != (oq_value_id)i)
            return oq_fail(err, ONNXQ_INTERNAL, "value '%s' is not found by its name", value->name);
        if (value->producer == OQ_NONE) continue;
        if (graph->nodes[value->producer]->dead)
            return oq_fail(err, ONNXQ_INTERNAL, "value '%s' is produced by a removed node", value->name);
    }
    return ONNXQ_OK;
}

static oq_status check_ends(const oq_graph *graph, oq_error *err) {
    for (size_t i = 0; i < graph->input_count; i++) {
        const oq_value_id id = graph->inputs[i];
        if (!id_is_valid(graph, id) || !graph->values[id]->is_input)
            return oq_fail(err, ONNXQ_BAD_MODEL, "input %zu of graph '%s' is not there", i, graph->name);
    }
    for (size_t i = 0; i < graph->output_count; i++) {
        const oq_value_id id = graph->outputs[i];
        if (!id_is_valid(graph, id))
            return oq_fail(err, ONNXQ_BAD_MODEL, "output %zu of graph '%s' is not there", i, graph->name);
        if (has_origin(graph->values[id])) continue;
        oq_fail(err, ONNXQ_BAD_MODEL,
                "output '%s' of graph '%s' is produced by no node and is no input or initializer",
                graph->values[id]->name, graph->name);
        oq_error_at_tensor(err, graph->values[id]->name);
        return ONNXQ_BAD_MODEL;
    }
    return ONNXQ_OK;
}

static oq_status check_graph(const oq_graph *graph, int depth, oq_error *err) {
    if (depth > OQ_MAX_DEPTH)
        return oq_fail(err, ONNXQ_BAD_MODEL, "graphs are nested more than %d deep", OQ_MAX_DEPTH);
    OQ_TRY(check_values(graph, err));
    OQ_TRY(check_ends(graph, err));
    for (size_t i = 0; i < graph->node_count; i++) {
        const oq_node *node = graph->nodes[i];
        const oq_status status = node->dead ? ONNXQ_OK : check_node(graph, node, depth, err);
        if (status != ONNXQ_OK) return at_node(node, status, err);
    }
    oq_node_id *order = NULL;
    size_t count = 0;
    OQ_TRY(oq_graph_order(graph, &order, &count, err));
    oq_mem_free(graph->model->mem, order);
    return ONNXQ_OK;
}

oq_status oq_graph_check(const oq_graph *graph, oq_error *err) { return check_graph(graph, 0, err); }
