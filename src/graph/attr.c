// Attributes of nodes: reading with defaults, setting, removing.
#include "graph/storage.h"

#include <string.h>

const oq_attr *oq_node_attr(const oq_node *node, const char *name) {
    for (size_t i = 0; i < node->attr_count; i++)
        if (strcmp(node->attrs[i].name, name) == 0) return &node->attrs[i];
    return NULL;
}

// The attribute when it has that kind and holds its value itself (no reference to a function's attribute).
static const oq_attr *attr_of_kind(const oq_node *node, const char *name, oq_attr_kind kind) {
    const oq_attr *attr = oq_node_attr(node, name);
    return attr && attr->kind == kind && !attr->reference ? attr : NULL;
}

int64_t oq_node_int(const oq_node *node, const char *name, int64_t otherwise) {
    const oq_attr *attr = attr_of_kind(node, name, OQ_ATTR_INT);
    return attr ? attr->i : otherwise;
}

float oq_node_float(const oq_node *node, const char *name, float otherwise) {
    const oq_attr *attr = attr_of_kind(node, name, OQ_ATTR_FLOAT);
    return attr ? attr->f : otherwise;
}

const char *oq_node_string(const oq_node *node, const char *name, const char *otherwise) {
    const oq_attr *attr = attr_of_kind(node, name, OQ_ATTR_STRING);
    return attr ? (const char *)attr->s.data : otherwise;
}

const int64_t *oq_node_ints(const oq_node *node, const char *name, size_t *count) {
    const oq_attr *attr = attr_of_kind(node, name, OQ_ATTR_INTS);
    *count = attr ? attr->count : 0;
    return attr ? attr->ints : NULL;
}

// The attribute `name` emptied, or a new one, to be filled by the caller.
static oq_status place_attr(oq_graph *graph, oq_node *node, const char *name, oq_attr_kind kind,
                            oq_attr **out, oq_error *err) {
    oq_arena *arena = &graph->model->arena;
    size_t i = 0;
    while (i < node->attr_count && strcmp(node->attrs[i].name, name) != 0) i++;
    const char *kept = i < node->attr_count ? node->attrs[i].name : oq_arena_strdup(arena, name, err);
    if (!kept) return ONNXQ_NO_MEMORY;
    // A new array in either case: others may hold pointers to attributes of the old one.
    const size_t count = i < node->attr_count ? node->attr_count : node->attr_count + 1;
    oq_attr *attrs = oq_arena_calloc(arena, count, sizeof *attrs, err);
    if (!attrs) return ONNXQ_NO_MEMORY;
    if (node->attr_count) memcpy(attrs, node->attrs, node->attr_count * sizeof *attrs);
    attrs[i] = (oq_attr){.name = kept, .doc = "", .kind = kind, .count = 1};
    node->attrs = attrs;
    node->attr_count = count;
    oq_graph_touch_node(graph, node);
    *out = &attrs[i];
    return ONNXQ_OK;
}

oq_status oq_node_set_int(oq_graph *graph, oq_node *node, const char *name, int64_t value, oq_error *err) {
    oq_attr *attr = NULL;
    OQ_TRY(place_attr(graph, node, name, OQ_ATTR_INT, &attr, err));
    attr->i = value;
    return ONNXQ_OK;
}

oq_status oq_node_set_float(oq_graph *graph, oq_node *node, const char *name, float value, oq_error *err) {
    oq_attr *attr = NULL;
    OQ_TRY(place_attr(graph, node, name, OQ_ATTR_FLOAT, &attr, err));
    attr->f = value;
    return ONNXQ_OK;
}

oq_status oq_node_set_string(oq_graph *graph, oq_node *node, const char *name, const char *text,
                             oq_error *err) {
    const size_t size = strlen(text);
    const char *copy = oq_arena_strndup(&graph->model->arena, text, size, err);
    if (!copy) return ONNXQ_NO_MEMORY;
    oq_attr *attr = NULL;
    OQ_TRY(place_attr(graph, node, name, OQ_ATTR_STRING, &attr, err));
    attr->s = (oq_bytes){.data = (const uint8_t *)copy, .size = size};
    return ONNXQ_OK;
}

// A list attribute of `count` elements of `size` bytes; *list points at the copy.
static oq_status set_list(oq_graph *graph, oq_node *node, const char *name, oq_attr_kind kind,
                          const void *values, size_t count, size_t size, oq_error *err) {
    size_t bytes = 0;
    if (!oq_mul_size(count, size, &bytes))
        return oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory for %zu values of '%s'", count, name);
    void *copy = oq_arena_memdup(&graph->model->arena, values, bytes, err);
    if (!copy) return ONNXQ_NO_MEMORY;
    oq_attr *attr = NULL;
    OQ_TRY(place_attr(graph, node, name, kind, &attr, err));
    attr->count = count;
    if (kind == OQ_ATTR_INTS)
        attr->ints = copy;
    else
        attr->floats = copy;
    return ONNXQ_OK;
}

oq_status oq_node_set_ints(oq_graph *graph, oq_node *node, const char *name, const int64_t *values,
                           size_t count, oq_error *err) {
    return set_list(graph, node, name, OQ_ATTR_INTS, values, count, sizeof *values, err);
}

oq_status oq_node_set_floats(oq_graph *graph, oq_node *node, const char *name, const float *values,
                             size_t count, oq_error *err) {
    return set_list(graph, node, name, OQ_ATTR_FLOATS, values, count, sizeof *values, err);
}

oq_status oq_node_set_tensor(oq_graph *graph, oq_node *node, const char *name, oq_tensor tensor,
                             oq_error *err) {
    oq_constant *constant = NULL;
    const oq_status status = oq_constant_new(graph->model, &constant, err);
    if (status != ONNXQ_OK) {
        oq_tensor_release(&tensor);
        return status;
    }
    constant->dtype = tensor.dtype;
    constant->shape = tensor.shape;
    constant->tensor = tensor; // the model's from here on
    oq_attr *attr = NULL;
    OQ_TRY(place_attr(graph, node, name, OQ_ATTR_TENSOR, &attr, err));
    attr->tensor = constant;
    return ONNXQ_OK;
}

oq_status oq_node_set_graph(oq_graph *graph, oq_node *node, const char *name, oq_graph *body, oq_error *err) {
    if (body->parent != graph)
        return oq_fail(err, ONNXQ_INTERNAL, "the body '%s' was made for another graph", name);
    oq_attr *attr = NULL;
    OQ_TRY(place_attr(graph, node, name, OQ_ATTR_GRAPH, &attr, err));
    attr->graph = body;
    body->owner = node;
    return ONNXQ_OK;
}

void oq_node_remove_attr(oq_node *node, const char *name) {
    for (size_t i = 0; i < node->attr_count; i++) {
        if (strcmp(node->attrs[i].name, name) != 0) continue;
        node->attr_count--;
        memmove(node->attrs + i, node->attrs + i + 1, (node->attr_count - i) * sizeof *node->attrs);
        oq_graph_touch_node(node->graph, node);
        return;
    }
}
