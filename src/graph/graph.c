// Graphs: making them, adding values and nodes, looking things up.
#include "graph/storage.h"

#include <stdio.h>
#include <string.h>

oq_status oq_graph_new(oq_model *model, oq_graph *parent, oq_graph **out, oq_error *err) {
    *out = NULL;
    oq_graph *graph = oq_arena_alloc(&model->arena, sizeof *graph, err);
    if (!graph) return ONNXQ_NO_MEMORY;
    graph->model = model;
    graph->parent = parent;
    graph->name = graph->doc = "";
    oq_map_init(&graph->names, model->mem);
    graph->next = model->graphs;
    model->graphs = graph;
    *out = graph;
    return ONNXQ_OK;
}

oq_status oq_graph_add_value(oq_graph *graph, const char *name, oq_value_id *out, oq_error *err) {
    *out = OQ_NONE;
    if (!name[0]) return oq_fail(err, ONNXQ_BAD_MODEL, "a value of graph '%s' has no name", graph->name);
    if (oq_graph_find(graph, name) != OQ_NONE)
        return oq_fail(err, ONNXQ_BAD_MODEL, "graph '%s' defines the value '%s' twice", graph->name, name);
    oq_arena *arena = &graph->model->arena;
    void *list = graph->values;
    OQ_TRY(oq_list_reserve(graph->model, &list, graph->value_count, &graph->value_capacity,
                           sizeof(oq_gvalue *), err));
    graph->values = list;
    oq_gvalue *value = oq_arena_alloc(arena, sizeof *value, err);
    if (!value) return ONNXQ_NO_MEMORY;
    value->name = oq_arena_strdup(arena, name, err);
    if (!value->name) return ONNXQ_NO_MEMORY;
    value->producer = OQ_NONE;
    value->doc = "";
    const oq_value_id id = (oq_value_id)graph->value_count;
    OQ_TRY(oq_map_set(&graph->names, value->name, id, err));
    graph->values[graph->value_count++] = value;
    oq_graph_touch(graph);
    *out = id;
    return ONNXQ_OK;
}

oq_status oq_graph_add_initializer(oq_graph *graph, const char *base, oq_tensor tensor, oq_value_id *out,
                                   oq_error *err) {
    *out = OQ_NONE;
    const char *name = NULL;
    oq_constant *constant = NULL;
    oq_status status = oq_constant_new(graph->model, &constant, err);
    if (status != ONNXQ_OK) {
        oq_tensor_release(&tensor);
        return status;
    }
    constant->dtype = tensor.dtype;
    constant->shape = tensor.shape;
    constant->tensor = tensor;
    OQ_TRY(oq_graph_unique_name(graph, base, &name, err));
    OQ_TRY(oq_graph_add_value(graph, name, out, err));
    oq_gvalue *value = graph->values[*out];
    constant->name = value->name;
    value->initializer = constant;
    oq_dim dims[OQ_MAX_RANK];
    for (int i = 0; i < tensor.shape.rank; i++) dims[i] = oq_dim_of(tensor.shape.dim[i]);
    value->type = oq_type_tensor(tensor.dtype, tensor.shape.rank, dims);
    return ONNXQ_OK;
}

// Whether a node may produce the value.
static oq_status check_output(const oq_graph *graph, oq_value_id id, const oq_node *node, oq_error *err) {
    if (id == OQ_NONE) return ONNXQ_OK;
    const oq_gvalue *value = graph->values[id];
    const char *other = value->producer != OQ_NONE ? "another node"
                        : value->is_input          ? "an input of the graph"
                        : value->initializer       ? "an initializer"
                        : value->is_capture        ? "a value of the graph around"
                                                   : NULL;
    if (!other) return ONNXQ_OK;
    char label[128];
    return oq_fail(err, ONNXQ_BAD_MODEL, "node '%s' (%s) produces '%s', which is already %s%s",
                   oq_node_label(node, label, sizeof label), node->op_type, value->name,
                   value->producer != OQ_NONE ? "produced by " : "", other);
}

static oq_status take_ids(oq_graph *graph, const oq_value_id *ids, size_t count, oq_value_id **out,
                          oq_error *err) {
    *out = oq_arena_calloc(&graph->model->arena, count ? count : 1, sizeof *ids, err);
    if (!*out) return ONNXQ_NO_MEMORY;
    if (count) memcpy(*out, ids, count * sizeof *ids);
    return ONNXQ_OK;
}

oq_status oq_graph_add_node(oq_graph *graph, const char *name, const char *op_type, const char *domain,
                            const oq_value_id *inputs, size_t input_count, const oq_value_id *outputs,
                            size_t output_count, oq_node **out, oq_error *err) {
    *out = NULL;
    oq_arena *arena = &graph->model->arena;
    void *list = graph->nodes;
    OQ_TRY(oq_list_reserve(graph->model, &list, graph->node_count, &graph->node_capacity, sizeof(oq_node *),
                           err));
    graph->nodes = list;
    oq_node *node = oq_arena_alloc(arena, sizeof *node, err);
    if (!node) return ONNXQ_NO_MEMORY;
    *node = (oq_node){.graph = graph,
                      .id = (oq_node_id)graph->node_count,
                      .overload = "",
                      .doc = "",
                      .input_count = input_count,
                      .output_count = output_count,
                      .region = OQ_NONE};
    node->name = oq_arena_strdup(arena, name ? name : "", err);
    node->op_type = oq_arena_strdup(arena, op_type, err);
    node->domain = oq_arena_strdup(arena, domain && strcmp(domain, "ai.onnx") != 0 ? domain : "", err);
    if (!node->name || !node->op_type || !node->domain) return ONNXQ_NO_MEMORY;
    OQ_TRY(take_ids(graph, inputs, input_count, &node->inputs, err));
    OQ_TRY(take_ids(graph, outputs, output_count, &node->outputs, err));
    for (size_t i = 0; i < output_count; i++) {
        OQ_TRY(check_output(graph, outputs[i], node, err));
        for (size_t k = 0; k < i; k++)
            if (outputs[i] != OQ_NONE && outputs[k] == outputs[i])
                return oq_fail(err, ONNXQ_BAD_MODEL, "a node of type %s produces '%s' twice", op_type,
                               graph->values[outputs[i]]->name);
    }
    OQ_TRY(oq_node_attach(graph, node, err));
    for (size_t i = 0; i < output_count; i++) {
        if (outputs[i] == OQ_NONE) continue;
        graph->values[outputs[i]]->producer = node->id;
        graph->values[outputs[i]]->output = (int32_t)i;
    }
    graph->nodes[graph->node_count++] = node;
    oq_graph_touch(graph);
    *out = node;
    return ONNXQ_OK;
}

static oq_status append_id(oq_graph *graph, oq_value_id **ids, size_t *count, oq_value_id id, oq_error *err) {
    oq_value_id *grown = oq_arena_calloc(&graph->model->arena, *count + 1, sizeof *grown, err);
    if (!grown) return ONNXQ_NO_MEMORY;
    if (*count) memcpy(grown, *ids, *count * sizeof *grown);
    grown[(*count)++] = id;
    *ids = grown;
    oq_graph_touch_value(graph, id);
    return ONNXQ_OK;
}

oq_status oq_graph_add_input(oq_graph *graph, oq_value_id value, oq_error *err) {
    oq_gvalue *v = graph->values[value];
    if (v->producer != OQ_NONE || v->is_capture || v->is_input)
        return oq_fail(err, ONNXQ_BAD_MODEL, "input '%s' of graph '%s' is %s", v->name, graph->name,
                       v->is_input ? "listed twice" : "produced inside");
    OQ_TRY(append_id(graph, &graph->inputs, &graph->input_count, value, err));
    v->is_input = v->declared = true;
    return ONNXQ_OK;
}

oq_status oq_graph_add_output(oq_graph *graph, oq_value_id value, oq_error *err) {
    OQ_TRY(append_id(graph, &graph->outputs, &graph->output_count, value, err));
    graph->values[value]->is_output = graph->values[value]->declared = true;
    return ONNXQ_OK;
}

void oq_graph_remove_input(oq_graph *graph, size_t index) {
    if (index >= graph->input_count) return;
    const oq_value_id id = graph->inputs[index];
    graph->input_count--;
    memmove(graph->inputs + index, graph->inputs + index + 1,
            (graph->input_count - index) * sizeof *graph->inputs);
    graph->values[id]->is_input = false;
    oq_graph_touch_value(graph, id);
}

// Whether one of the graphs is the other or lies around it.
static bool nested(const oq_graph *inner, const oq_graph *outer) {
    for (; inner; inner = inner->parent)
        if (inner == outer) return true;
    return false;
}

static bool name_is_taken(const oq_graph *graph, const char *name) {
    for (const oq_graph *other = graph->model->graphs; other; other = other->next)
        if (oq_graph_find(other, name) != OQ_NONE && (nested(other, graph) || nested(graph, other)))
            return true;
    return false;
}

oq_status oq_graph_unique_name(oq_graph *graph, const char *base, const char **out, oq_error *err) {
    oq_text text;
    oq_text_init(&text, graph->model->mem);
    oq_text_add(&text, base[0] ? base : "value");
    const size_t length = text.length;
    for (uint64_t n = 2; !text.failed && name_is_taken(graph, oq_text_get(&text)); n++) {
        text.length = length;
        oq_text_printf(&text, "_%llu", (unsigned long long)n);
    }
    *out = text.failed ? NULL : oq_arena_strdup(&graph->model->arena, oq_text_get(&text), err);
    oq_text_release(&text);
    if (*out) return ONNXQ_OK;
    oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory for the name of a value");
    return ONNXQ_NO_MEMORY;
}

oq_value_id oq_graph_find(const oq_graph *graph, const char *value_name) {
    return oq_map_get(&graph->names, value_name, OQ_NONE);
}

oq_node_id oq_graph_find_node(const oq_graph *graph, const char *node_name) {
    for (size_t i = 0; i < graph->node_count; i++)
        if (!graph->nodes[i]->dead && strcmp(graph->nodes[i]->name, node_name) == 0) return (oq_node_id)i;
    return OQ_NONE;
}

bool oq_node_is(const oq_node *node, const char *op_type) {
    return !node->domain[0] && strcmp(node->op_type, op_type) == 0;
}

oq_node *oq_graph_producer_is(const oq_graph *graph, oq_value_id value, const char *op_type) {
    if (value == OQ_NONE || graph->values[value]->producer == OQ_NONE) return NULL;
    oq_node *node = graph->nodes[graph->values[value]->producer];
    return oq_node_is(node, op_type) ? node : NULL;
}

oq_node *oq_graph_only_consumer(const oq_graph *graph, oq_value_id value) {
    if (value == OQ_NONE) return NULL;
    const oq_gvalue *v = graph->values[value];
    return v->use_count == 1 && !v->is_output ? graph->nodes[v->uses[0].node] : NULL;
}

const char *oq_node_label(const oq_node *node, char *buffer, size_t size) {
    if (node->name[0]) return node->name;
    snprintf(buffer, size, "%s_%d", node->op_type, node->id);
    return buffer;
}
