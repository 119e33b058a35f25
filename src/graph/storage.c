// Growing lists, use lists, marks of change.
#include "graph/storage.h"

#include <string.h>

oq_status oq_list_reserve(oq_model *model, void **list, size_t count, size_t *capacity, size_t size,
                          oq_error *err) {
    if (count < *capacity) return ONNXQ_OK;
    size_t wanted = 0;
    if (!oq_mul_size(count ? count : 2, 2, &wanted) || wanted > INT32_MAX)
        return oq_fail(err, ONNXQ_NO_MEMORY, "a list of a graph would exceed %d entries", INT32_MAX);
    void *grown = oq_arena_calloc(&model->arena, wanted, size, err);
    if (!grown) return ONNXQ_NO_MEMORY;
    if (count) memcpy(grown, *list, count * size);
    *list = grown;
    *capacity = wanted;
    return ONNXQ_OK;
}

oq_status oq_use_add(oq_graph *graph, oq_value_id value, oq_node_id node, size_t input, oq_error *err) {
    if (value == OQ_NONE) return ONNXQ_OK;
    oq_gvalue *v = graph->values[value];
    void *uses = v->uses;
    OQ_TRY(oq_list_reserve(graph->model, &uses, v->use_count, &v->use_capacity, sizeof *v->uses, err));
    v->uses = uses;
    v->uses[v->use_count++] = (oq_use){.node = node, .input = (int32_t)input};
    return ONNXQ_OK;
}

void oq_use_remove(oq_graph *graph, oq_value_id value, oq_node_id node, size_t input) {
    if (value == OQ_NONE) return;
    oq_gvalue *v = graph->values[value];
    for (size_t i = 0; i < v->use_count; i++) {
        if (v->uses[i].node != node || v->uses[i].input != (int32_t)input) continue;
        v->use_count--;
        memmove(v->uses + i, v->uses + i + 1, (v->use_count - i) * sizeof *v->uses);
        return;
    }
}

// What the node reads at `index`, captures counted behind the inputs.
static oq_value_id read_at(const oq_node *node, size_t index) {
    return index < node->input_count ? node->inputs[index] : node->captures[index - node->input_count];
}

oq_status oq_node_attach(oq_graph *graph, const oq_node *node, oq_error *err) {
    const size_t count = node->input_count + node->capture_count;
    for (size_t i = 0; i < count; i++) {
        const oq_status status = oq_use_add(graph, read_at(node, i), node->id, i, err);
        if (status == ONNXQ_OK) continue;
        while (i-- > 0) oq_use_remove(graph, read_at(node, i), node->id, i);
        return status;
    }
    return ONNXQ_OK;
}

void oq_node_detach(oq_graph *graph, const oq_node *node) {
    const size_t count = node->input_count + node->capture_count;
    for (size_t i = 0; i < count; i++) oq_use_remove(graph, read_at(node, i), node->id, i);
}

static void forget(oq_origin *origin) {
    origin->offset = 0;
    origin->size = 0;
}

// The attribute of `node` that holds `body`, or NULL.
static oq_attr *attr_with_body(const oq_node *node, const oq_graph *body) {
    for (size_t i = 0; i < node->attr_count; i++) {
        oq_attr *attr = &node->attrs[i];
        if (attr->kind == OQ_ATTR_GRAPH && attr->graph == body) return attr;
        for (size_t k = 0; attr->kind == OQ_ATTR_GRAPHS && k < attr->count; k++)
            if (attr->graphs[k] == body) return attr;
    }
    return NULL;
}

// Readers fill attributes by themselves, so the owner of a body may have to be looked for, once.
static void find_owner(oq_graph *body) {
    const oq_graph *parent = body->parent;
    for (size_t i = 0; parent && !body->owner && i < parent->node_count; i++)
        if (attr_with_body(parent->nodes[i], body)) body->owner = parent->nodes[i];
}

void oq_graph_touch(oq_graph *graph) {
    for (; graph && !graph->changed; graph = graph->parent) {
        graph->changed = true;
        forget(&graph->origin);
        find_owner(graph);
        if (graph->owner) {
            forget(&graph->owner->origin);
            oq_attr *attr = attr_with_body(graph->owner, graph);
            if (attr) forget(&attr->origin);
        }
        for (size_t i = 0; !graph->parent && i < graph->model->function_count; i++)
            if (graph->model->functions[i].body == graph) forget(&graph->model->functions[i].origin);
    }
}

void oq_graph_touch_node(oq_graph *graph, oq_node *node) {
    forget(&node->origin);
    for (size_t i = 0; i < node->output_count; i++)
        if (node->outputs[i] != OQ_NONE) graph->values[node->outputs[i]]->made = NULL;
    oq_graph_touch(graph);
}

void oq_graph_touch_value(oq_graph *graph, oq_value_id value) {
    forget(&graph->values[value]->origin);
    oq_graph_touch(graph);
}

bool oq_value_is_idle(const oq_gvalue *value) {
    return !value->is_input && !value->is_output && value->producer == OQ_NONE && !value->use_count;
}

void oq_value_kill(oq_graph *graph, oq_value_id value) {
    oq_gvalue *v = graph->values[value];
    if (v->dead) return;
    oq_map_remove(&graph->names, v->name);
    v->dead = true;
    v->initializer = NULL;
    oq_graph_touch_value(graph, value);
}

oq_status oq_node_each_body(const oq_node *node, oq_body_visit visit, void *self, oq_error *err) {
    for (size_t i = 0; i < node->attr_count; i++) {
        const oq_attr *attr = &node->attrs[i];
        if (attr->kind == OQ_ATTR_GRAPH && attr->graph) OQ_TRY(visit(self, attr->graph, err));
        for (size_t k = 0; attr->kind == OQ_ATTR_GRAPHS && k < attr->count; k++)
            if (attr->graphs[k]) OQ_TRY(visit(self, attr->graphs[k], err));
    }
    return ONNXQ_OK;
}
