// TopK: the k largest or smallest elements along an axis, with their indices; among equals the lower index
// first.
#include "ops/lib/lists.h"
#include "ops/lib/order.h"
#include "ops/lib/pick.h"
#include "ops/lib/schema.h"
#include "ops/lib/upgrade.h"

#include <string.h>

typedef struct candidate {
    uint64_t key; // greater is better
    int64_t index;
} candidate;

static bool better(const candidate *a, const candidate *b) {
    return a->key != b->key ? a->key > b->key : a->index < b->index;
}

// Restores a heap whose root is the worst of its members.
static void sift(candidate *heap, int64_t count, int64_t i) {
    const candidate moved = heap[i];
    for (int64_t child; (child = 2 * i + 1) < count; i = child) {
        if (child + 1 < count && better(&heap[child], &heap[child + 1])) ++child;
        if (!better(&moved, &heap[child])) break;
        heap[i] = heap[child];
    }
    heap[i] = moved;
}

// The k best of n keys, best first.
static void select_best(const uint64_t *keys, int64_t n, int64_t k, candidate *heap) {
    for (int64_t i = 0; i < k; ++i) heap[i] = (candidate){keys[i], i};
    for (int64_t i = k / 2 - 1; i >= 0; --i) sift(heap, k, i);
    for (int64_t i = k; k && i < n; ++i) {
        const candidate c = {keys[i], i};
        if (!better(&c, &heap[0])) continue;
        heap[0] = c;
        sift(heap, k, 0);
    }
    for (int64_t left = k - 1; left > 0; --left) { // the worst goes to the end
        const candidate worst = heap[0];
        heap[0] = heap[left];
        heap[left] = worst;
        sift(heap, left, 0);
    }
}

static oq_status read_k(oq_run_context *context, int64_t *k, oq_error *err) {
    return oq_int_input(context, 1, oq_node_int(context->node, "k", -1), k, err);
}

// One line of the axis at a time, brought together from its stride.
static oq_status run_lines(oq_run_context *context, const oq_tensor *data, int axis, int64_t k,
                           oq_tensor *values, oq_tensor *indices, oq_error *err) {
    const int64_t n = data->shape.dim[axis];
    const int64_t inner = oq_shape_range_count(&data->shape, axis + 1, data->shape.rank);
    const int64_t lines = oq_shape_range_count(&data->shape, 0, axis) * inner;
    const size_t element = oq_dtype_bytes(data->dtype);
    const bool largest = oq_node_int(context->node, "largest", 1) != 0;
    unsigned char *line = oq_scratch(context, (size_t)n * element, err);
    uint64_t *keys = oq_scratch(context, (size_t)n * sizeof *keys, err);
    candidate *heap = oq_scratch(context, ((size_t)k + 1) * sizeof *heap, err);
    int64_t *places = oq_scratch(context, ((size_t)(n > k ? n : k) + 1) * sizeof *places, err);
    if (!line || !keys || !heap || !places) return ONNXQ_NO_MEMORY;
    for (int64_t l = 0; l < lines; ++l) {
        const int64_t from = l / inner * n * inner + l % inner, to = l / inner * k * inner + l % inner;
        const void *row = oq_at(data->data, (size_t)from, element);
        if (inner > 1) {
            for (int64_t i = 0; i < n; ++i) places[i] = i * inner;
            oq_pick(line, row, places, (size_t)n, element);
            row = line;
        }
        oq_order_keys(data->dtype, row, keys, (size_t)n);
        for (int64_t i = 0; !largest && i < n; ++i) keys[i] = ~keys[i];
        select_best(keys, n, k, heap);
        for (int64_t i = 0; i < k; ++i) {
            const size_t at = (size_t)(to + i * inner);
            if (values)
                memcpy(oq_at_mutable(values->data, at, element), oq_at(row, (size_t)heap[i].index, element),
                       element);
            if (indices) ((int64_t *)indices->data)[at] = heap[i].index;
        }
    }
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data;
    oq_tensor *values = NULL, *indices = NULL;
    int64_t k;
    int axis;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(read_k(context, &k, err));
    OQ_TRY(oq_axis(context, oq_node_int(context->node, "axis", -1), data->shape.rank, &axis, err));
    if (k < 0 || k > data->shape.dim[axis])
        return oq_fail(err, ONNXQ_BAD_DATA, "TopK asks for %lld of %lld elements", (long long)k,
                       (long long)data->shape.dim[axis]);
    if (oq_work_of(data->dtype) == OQ_WORK_NONE) return oq_no_loop(context, data->dtype, err);
    oq_shape shape = data->shape;
    shape.dim[axis] = k;
    if (oq_wanted(context, 0)) OQ_TRY(oq_out(context, 0, data->dtype, &shape, &values, err));
    if (oq_wanted(context, 1)) OQ_TRY(oq_out(context, 1, ONNXQ_INT64, &shape, &indices, err));
    return oq_shape_count(&shape) ? run_lines(context, data, axis, k, values, indices, err) : ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *in = oq_infer_in(context, 0);
    oq_infer_set_dtype(context, 1, ONNXQ_INT64);
    if (!in || in->rank < 0) return ONNXQ_OK;
    oq_type out = *in;
    int axis;
    OQ_TRY(oq_infer_axis(context, oq_node_int(context->node, "axis", -1), in->rank, &axis, err));
    size_t count;
    const oq_dim *k = oq_infer_elements(context, 1, &count);
    const oq_attr *attr = oq_node_attr(context->node, "k");
    out.dim[axis] = k && count == 1 ? oq_dim_as_size(k[0]) : attr ? oq_dim_of(attr->i) : OQ_DIM_ANONYMOUS;
    oq_infer_set_type(context, 0, &out);
    out.dtype = ONNXQ_INT64;
    oq_infer_set_type(context, 1, &out);
    return ONNXQ_OK;
}

static oq_status upgrade_10(oq_upgrade_context *context, oq_error *err) {
    return oq_upgrade_ints(context, "k", 1, err);
}

#define VERSION(SINCE, SIGNATURE, SET, UPGRADE, ...)                                                         \
    {                                                                                                        \
        .since = SINCE, .signature = SIGNATURE, .types = OQ_TYPES({"T", SET}, {"I", OQ_T(INT64)}),           \
        .attrs = OQ_ATTRS({"axis", OQ_ATTR_INT, false}, __VA_ARGS__), .infer = infer, .run = run,            \
        .upgrade = UPGRADE                                                                                   \
    }
#define WITH_K "X:T, K:int64 -> Values:T, Indices:I"
#define ORDER                                                                                                \
    {"largest", OQ_ATTR_INT, false}, { "sorted", OQ_ATTR_INT, false }

static const oq_op_version versions[] = {
    VERSION(1, "X:T -> Values:T, Indices:I", OQ_T_FLOATS3, NULL, {"k", OQ_ATTR_INT, true}),
    VERSION(10, WITH_K, OQ_T_FLOATS3, upgrade_10, {0}),
    VERSION(11, WITH_K, OQ_T_NUMERIC3, NULL, ORDER),
    VERSION(24, WITH_K, OQ_T_NUMERIC4, NULL, ORDER),
};

OQ_ONNX_OP(TopK, versions);
