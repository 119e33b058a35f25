// Captures: outer values that the bodies of a node use, kept in step with the graphs inside.
#include "graph/storage.h"

#include <string.h>

// The value of `body` for capture `index` of its owner, or OQ_NONE.
static oq_value_id captured(const oq_graph *body, size_t index) {
    return index < body->capture_count ? body->captures[index] : OQ_NONE;
}

// Sets captures[index] of a list that is filled with OQ_NONE up to there. The list doubles when it is full: a
// body may use very many outer values.
static oq_status put_capture(oq_model *model, oq_value_id **list, size_t *count, size_t *capacity,
                             size_t index, oq_value_id value, oq_error *err) {
    if (index >= *capacity) {
        oq_value_id *grown = oq_arena_calloc(&model->arena, (index + 1) * 2, sizeof *grown, err);
        if (!grown) return ONNXQ_NO_MEMORY;
        if (*count) memcpy(grown, *list, *count * sizeof *grown);
        *list = grown;
        *capacity = (index + 1) * 2;
    }
    while (*count <= index) (*list)[(*count)++] = OQ_NONE;
    (*list)[index] = value;
    return ONNXQ_OK;
}

static size_t find_capture(const oq_node *owner, oq_value_id outer) {
    size_t index = 0;
    while (index < owner->capture_count && owner->captures[index] != outer) index++;
    return index;
}

oq_status oq_graph_capture(oq_graph *body, oq_node *owner, oq_value_id outer, oq_value_id *out,
                           oq_error *err) {
    oq_graph *graph = owner->graph;
    oq_model *model = graph->model;
    const size_t index = find_capture(owner, outer);
    *out = captured(body, index);
    if (*out != OQ_NONE) return ONNXQ_OK;
    const oq_gvalue *source = graph->values[outer];
    oq_value_id inner = OQ_NONE;
    OQ_TRY(oq_graph_add_value(body, source->name, &inner, err));
    body->values[inner]->is_capture = true;
    body->values[inner]->type = source->type;
    if (index == owner->capture_count) {
        OQ_TRY(oq_use_add(graph, outer, owner->id, owner->input_count + index, err));
        OQ_TRY(put_capture(model, &owner->captures, &owner->capture_count, &owner->capture_capacity, index,
                           outer, err));
    }
    OQ_TRY(put_capture(model, &body->captures, &body->capture_count, &body->capture_capacity, index, inner,
                       err));
    body->owner = owner;
    *out = inner;
    return ONNXQ_OK;
}

typedef struct rename_visit {
    size_t index; // of the capture
    const char *name;
} rename_visit;

// Renames what stands in `body` for a renamed outer value.
static oq_status rename_inside(void *self, oq_graph *body, oq_error *err) {
    const rename_visit *visit = self;
    const oq_value_id inner = captured(body, visit->index);
    if (inner == OQ_NONE) return ONNXQ_OK;
    const oq_value_id other = oq_graph_find(body, visit->name);
    if (other == inner) return ONNXQ_OK;
    if (other != OQ_NONE) { // a local value of the body hides the new name: it gets another
        const char *fresh = NULL;
        OQ_TRY(oq_graph_unique_name(body, visit->name, &fresh, err));
        OQ_TRY(oq_value_rename(body, other, fresh, err));
    }
    return oq_value_rename(body, inner, visit->name, err);
}

oq_status oq_value_rename(oq_graph *graph, oq_value_id value, const char *name, oq_error *err) {
    oq_gvalue *v = graph->values[value];
    const char *copy = oq_arena_strdup(&graph->model->arena, name, err);
    if (!copy) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_map_set(&graph->names, copy, value, err));
    oq_map_remove(&graph->names, v->name);
    v->name = copy;
    if (v->initializer) {
        v->initializer->name = copy;
        v->initializer->origin.offset = v->initializer->origin.size = 0;
    }
    oq_graph_touch_value(graph, value);
    if (v->producer != OQ_NONE) oq_graph_touch_node(graph, graph->nodes[v->producer]);
    for (size_t i = 0; i < v->use_count; i++) {
        oq_node *node = graph->nodes[v->uses[i].node];
        oq_graph_touch_node(graph, node);
        if (v->uses[i].input < (int32_t)node->input_count) continue;
        rename_visit visit = {.index = (size_t)v->uses[i].input - node->input_count, .name = copy};
        OQ_TRY(oq_node_each_body(node, rename_inside, &visit, err));
    }
    return ONNXQ_OK;
}

typedef struct move_visit {
    size_t from, to; // captures of the owner
    const oq_gvalue *outer;
} move_visit;

// In one body: what was capture `from` becomes capture `to`.
static oq_status move_inside(void *self, oq_graph *body, oq_error *err) {
    const move_visit *visit = self;
    const oq_value_id old = captured(body, visit->from);
    const oq_value_id new = captured(body, visit->to);
    if (old == OQ_NONE) return ONNXQ_OK;
    if (new != OQ_NONE && visit->from != visit->to) {
        OQ_TRY(oq_graph_replace_uses(body, old, new, true, err));
        body->captures[visit->from] = OQ_NONE;
        oq_value_kill(body, old);
        return ONNXQ_OK;
    }
    rename_visit rename = {.index = visit->from, .name = visit->outer->name};
    OQ_TRY(rename_inside(&rename, body, err));
    body->values[old]->type = visit->outer->type;
    if (visit->from == visit->to) return ONNXQ_OK;
    body->captures[visit->from] = OQ_NONE;
    return put_capture(body->model, &body->captures, &body->capture_count, &body->capture_capacity, visit->to,
                       old, err);
}

static oq_status drop_inside(void *self, oq_graph *body, oq_error *err) {
    (void)err;
    const size_t index = *(const size_t *)self;
    if (index >= body->capture_count) return ONNXQ_OK;
    body->capture_count--;
    memmove(body->captures + index, body->captures + index + 1,
            (body->capture_count - index) * sizeof *body->captures);
    return ONNXQ_OK;
}

// Takes capture `index` out of a node and the list of each body; later ones move up.
static oq_status drop_capture(oq_graph *graph, oq_node *node, size_t index, oq_error *err) {
    oq_node_detach(graph, node);
    node->capture_count--;
    memmove(node->captures + index, node->captures + index + 1,
            (node->capture_count - index) * sizeof *node->captures);
    const oq_status status = oq_node_attach(graph, node, err);
    OQ_TRY(oq_node_each_body(node, drop_inside, &index, err));
    return status;
}

oq_status oq_capture_replace(oq_graph *graph, oq_node *node, size_t index, oq_value_id to, oq_error *err) {
    const size_t other = find_capture(node, to);
    const bool known = other < node->capture_count;
    if (known && other == index) return ONNXQ_OK;
    move_visit visit = {.from = index, .to = known ? other : index, .outer = graph->values[to]};
    OQ_TRY(oq_node_each_body(node, move_inside, &visit, err));
    oq_graph_touch_node(graph, node);
    if (known) return drop_capture(graph, node, index, err);
    OQ_TRY(oq_use_add(graph, to, node->id, node->input_count + index, err));
    oq_use_remove(graph, node->captures[index], node->id, node->input_count + index);
    node->captures[index] = to;
    return ONNXQ_OK;
}

typedef struct need_visit {
    size_t index;
    bool needed;
} need_visit;

// Whether a body still uses a capture; forgets it where it does not.
static oq_status need_inside(void *self, oq_graph *body, oq_error *err) {
    (void)err;
    need_visit *visit = self;
    const oq_value_id inner = captured(body, visit->index);
    if (inner == OQ_NONE) return ONNXQ_OK;
    const oq_gvalue *value = body->values[inner];
    if (value->use_count || value->is_output) {
        visit->needed = true;
        return ONNXQ_OK;
    }
    body->captures[visit->index] = OQ_NONE;
    oq_value_kill(body, inner);
    return ONNXQ_OK;
}

oq_status oq_capture_sweep(oq_graph *graph, oq_node *node, oq_error *err) {
    for (size_t k = node->capture_count; k-- > 0;) {
        need_visit visit = {.index = k};
        OQ_TRY(oq_node_each_body(node, need_inside, &visit, err));
        if (!visit.needed) OQ_TRY(drop_capture(graph, node, k, err));
    }
    return ONNXQ_OK;
}
