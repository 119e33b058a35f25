// A product of one-hot rows and a matrix looks rows of the matrix up.
//
//     Equal(ids [.., 1], 0 .. n - 1) -> Cast -> MatMul(., W [n, C])        Gather([W; 0], Clip(ids, -1, n))
//
// A row whose id is none of 0 .. n - 1 holds no 1, and its product is 0: such ids are clipped to n and to -1,
// which Gather counts from the end, so both mean the row of zeros behind W.
#include "passes/passes.h"

#include <math.h>
#include <string.h>

typedef struct one_hot {
    oq_node *product;
    oq_value_id ids;         // [..] of int32 or int64
    const oq_constant *rows; // W
} one_hot;

// --- recognition ---

// 0 .. n - 1 along the last axis, all other axes of size 1.
static bool counts_up(oq_graph *graph, oq_value_id value, int64_t n) {
    const oq_constant *constant = oq_graph_constant(graph, value);
    oq_tensor tensor = {0};
    oq_error ignored = {0};
    if (!constant || oq_shape_count(&constant->shape) != n || constant->shape.rank < 1 ||
        constant->shape.dim[constant->shape.rank - 1] != n ||
        oq_constant_load(graph->model->mem, constant, &tensor, &ignored) != ONNXQ_OK)
        return false;
    bool ok = true;
    for (int64_t i = 0; ok && i < n; i++) ok = oq_tensor_get_i64(&tensor, i) == i;
    oq_tensor_release(&tensor);
    return ok;
}

static const oq_type *type_of(const oq_graph *graph, oq_value_id value) {
    return &oq_graph_value(graph, value)->type;
}

static bool same_dims(const oq_type *a, const oq_type *b, int count) {
    for (int d = 0; d < count; d++)
        if (!oq_dim_same(a->dim[d], b->dim[d])) return false;
    return true;
}

// What stands before an Expand that repeats its last axis alone; else the value itself.
static oq_value_id before_expand(const oq_graph *graph, oq_value_id value) {
    const oq_node *node = oq_graph_producer_is(graph, value, "Expand");
    if (!node) return value;
    const oq_type *from = type_of(graph, node->inputs[0]), *to = type_of(graph, value);
    const bool widens = from->kind == OQ_TYPE_TENSOR && to->kind == OQ_TYPE_TENSOR && from->rank > 0 &&
                        from->rank == to->rank && same_dims(from, to, from->rank - 1);
    return widens ? node->inputs[0] : value;
}

// The ids [..] behind a value [.., 1], or OQ_NONE.
static oq_value_id find_ids(const oq_graph *graph, oq_value_id value) {
    const oq_value_id column = before_expand(graph, value);
    const oq_node_id id = oq_graph_value(graph, column)->producer;
    const oq_node *node = id == OQ_NONE ? NULL : oq_graph_node(graph, id);
    const oq_type *to = type_of(graph, column);
    if (!node || (!oq_node_is(node, "Unsqueeze") && !oq_node_is(node, "Reshape"))) return OQ_NONE;
    const oq_type *from = type_of(graph, node->inputs[0]);
    const bool fits = from->kind == OQ_TYPE_TENSOR && to->kind == OQ_TYPE_TENSOR && to->rank > 1 &&
                      from->rank == to->rank - 1 && to->dim[from->rank].size == 1 &&
                      same_dims(from, to, from->rank) &&
                      (from->dtype == ONNXQ_INT32 || from->dtype == ONNXQ_INT64);
    return fits ? node->inputs[0] : OQ_NONE;
}

static bool is_finite(oq_graph *graph, const oq_constant *constant) {
    oq_tensor tensor = {0};
    oq_error ignored = {0};
    if (oq_constant_load(graph->model->mem, constant, &tensor, &ignored) != ONNXQ_OK) return false;
    bool ok = true; // zeros times infinity are no zeros
    for (int64_t i = 0; ok && i < oq_tensor_count(&tensor); i++)
        ok = isfinite(((const float *)tensor.data)[i]);
    oq_tensor_release(&tensor);
    return ok;
}

static bool match(oq_graph *graph, oq_node *node, one_hot *out) {
    *out = (one_hot){.product = node, .ids = OQ_NONE};
    if (node->dead || !oq_node_is(node, "MatMul") || node->outputs[0] == OQ_NONE) return false;
    out->rows = oq_graph_constant(graph, node->inputs[1]);
    const oq_node *cast = oq_graph_producer_is(graph, node->inputs[0], "Cast");
    if (!out->rows || out->rows->dtype != ONNXQ_FLOAT || out->rows->shape.rank != 2 || !cast) return false;
    const oq_node *equal = oq_graph_producer_is(graph, cast->inputs[0], "Equal");
    for (int i = 0; equal && i < 2 && out->ids == OQ_NONE; i++)
        if (counts_up(graph, equal->inputs[i], out->rows->shape.dim[0]))
            out->ids = find_ids(graph, equal->inputs[1 - i]);
    return out->ids != OQ_NONE && is_finite(graph, out->rows);
}

// --- writing ---

// W with a row of zeros behind it.
static oq_status add_table(oq_graph *graph, const one_hot *m, oq_value_id *out, oq_error *err) {
    oq_tensor from = {0}, to = {0};
    const oq_shape shape = OQ_SHAPE(m->rows->shape.dim[0] + 1, m->rows->shape.dim[1]);
    const char *name = oq_graph_value(graph, m->product->inputs[1])->name;
    OQ_TRY(oq_constant_load(graph->model->mem, m->rows, &from, err));
    const oq_status status = oq_tensor_new(graph->model->mem, ONNXQ_FLOAT, &shape, &to, err);
    if (status == ONNXQ_OK) {
        memset(to.data, 0, oq_tensor_bytes(&to));
        memcpy(to.data, from.data, oq_tensor_bytes(&from));
    }
    oq_tensor_release(&from);
    return status == ONNXQ_OK ? oq_graph_add_initializer(graph, name, to, out, err) : status;
}

static oq_status add_bound(oq_graph *graph, const one_hot *m, const char *suffix, int64_t bound,
                           oq_value_id *out, oq_error *err) {
    const oq_shape scalar = {.rank = 0};
    oq_tensor tensor = {0};
    const char *name = oq_arena_printf(&graph->model->arena, err, "%s%s",
                                       oq_graph_value(graph, m->product->outputs[0])->name, suffix);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_tensor_new(graph->model->mem, type_of(graph, m->ids)->dtype, &scalar, &tensor, err));
    oq_store_i64(tensor.dtype, &bound, tensor.data, 1);
    return oq_graph_add_initializer(graph, name, tensor, out, err);
}

static oq_status write(oq_graph *graph, const one_hot *m, oq_error *err) {
    const oq_value_id y = m->product->outputs[0];
    oq_value_id clip[3] = {m->ids}, in[2];
    oq_node *made;
    OQ_TRY(add_table(graph, m, &in[0], err));
    OQ_TRY(add_bound(graph, m, "_least", -1, &clip[1], err));
    OQ_TRY(add_bound(graph, m, "_greatest", m->rows->shape.dim[0], &clip[2], err));
    const char *name = oq_arena_printf(&graph->model->arena, err, "%s_ids", oq_graph_value(graph, y)->name);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_unique_name(graph, name, &name, err));
    OQ_TRY(oq_graph_add_value(graph, name, &in[1], err));
    oq_graph_value(graph, in[1])->type = *type_of(graph, m->ids);
    OQ_TRY(oq_graph_add_node(graph, "", "Clip", "", clip, 3, &in[1], 1, &made, err));
    oq_graph_remove_node(graph, m->product);
    return oq_graph_add_node(graph, m->product->name, "Gather", "", in, 2, &y, 1, &made, err);
}

oq_status oq_pass_look_up(oq_graph *graph, size_t *count, oq_error *err) {
    const size_t nodes = graph->node_count; // those that are made are no candidates
    one_hot m;
    *count = 0;
    if (oq_model_opset(graph->model, "") < 12) return ONNXQ_OK; // Clip of integers
    for (size_t i = 0; i < nodes; i++) {
        if (!match(graph, graph->nodes[i], &m)) continue;
        OQ_TRY(write(graph, &m, err));
        ++*count;
    }
    return ONNXQ_OK;
}
