// FusedMatMul: alpha * A' x B', where each factor may come with its axes in another order.
#include "ops/lib/infer.h"
#include "ops/lib/macs.h"
#include "ops/lib/matmul_float.h"
#include "ops/lib/move.h"

// Which of its axes stands at place `i` of the factor: transBatch moves the first one behind the others but
// the last, trans then swaps the last two.
static int axis_at(bool trans, bool trans_batch, int i, int rank) {
    if (trans && rank > 1 && i >= rank - 2) i = 2 * rank - 3 - i;
    if (!trans_batch || rank < 2 || i == rank - 1) return i;
    return i == rank - 2 ? 0 : i + 1;
}

static int axis_of(const oq_node *node, size_t factor, int i, int rank) {
    return axis_at(oq_node_int(node, factor ? "transB" : "transA", 0) != 0,
                   oq_node_int(node, factor ? "transBatchB" : "transBatchA", 0) != 0, i, rank);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    oq_type types[2];
    for (size_t k = 0; k < 2; k++) {
        const oq_type *type = oq_infer_in(context, k);
        if (!type) return ONNXQ_OK;
        types[k] = *type;
        for (int i = 0; i < type->rank; i++)
            types[k].dim[i] = type->dim[axis_of(context->node, k, i, type->rank)];
    }
    return oq_matmul_infer_types(context, &types[0], &types[1], types[0].dtype, err);
}

// Factor `k` with its axes in order; without `data` only its shape.
static oq_status take(oq_run_context *context, size_t k, bool data, oq_tensor *out, oq_error *err) {
    const oq_tensor *x = oq_in(context, k);
    const int rank = x->shape.rank;
    int64_t strides[OQ_MAX_RANK];
    int64_t from[OQ_MAX_RANK];
    bool moves = false;
    *out = *x;
    oq_shape_strides(&x->shape, strides);
    for (int i = 0; i < rank; i++) {
        const int axis = axis_of(context->node, k, i, rank);
        out->shape.dim[i] = x->shape.dim[axis];
        from[i] = strides[axis];
        moves = moves || axis != i;
    }
    if (!moves || !data) return ONNXQ_OK;
    const size_t size = oq_dtype_bytes(x->dtype);
    OQ_TRY(oq_scratch_array(context, (size_t)oq_tensor_count(x), size, &out->data, err));
    oq_move_dense(out->data, x->data, from, size, rank, out->shape.dim);
    return ONNXQ_OK;
}

static oq_status prepare(oq_run_context *context, void **state, oq_error *err) {
    oq_tensor b;
    if (!oq_in(context, 1)) return ONNXQ_OK;
    OQ_TRY(take(context, 1, true, &b, err));
    return oq_matmul_float_prepare(context, &b, state, err);
}

static oq_status run(oq_run_context *context, oq_error *err) {
    oq_tensor a;
    oq_tensor b;
    OQ_TRY(take(context, 0, true, &a, err));
    OQ_TRY(take(context, 1, !context->state, &b, err));
    return oq_matmul_float_run(context, &a, &b, (double)oq_node_float(context->node, "alpha", 1.0F), err);
}

static uint64_t macs(const oq_graph *graph, const oq_node *node) {
    const oq_type *a = oq_macs_input(graph, node, 0);
    const oq_type *out = oq_macs_output(graph, node, 0);
    if (!a || !out || !a->rank) return 0;
    return oq_macs_times(oq_macs_elements(out, 0), oq_macs_dim(a, axis_of(node, 0, a->rank - 1, a->rank)));
}

static const oq_type_set types[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs[] = {{"alpha", OQ_ATTR_FLOAT, false},     {"transA", OQ_ATTR_INT, false},
                                     {"transB", OQ_ATTR_INT, false},      {"transBatchA", OQ_ATTR_INT, false},
                                     {"transBatchB", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "A:T, B:T -> Y:T",
     .types = types,
     .attrs = attrs,
     .infer = infer,
     .run = run,
     .prepare = prepare,
     .release = oq_packed_free,
     .spent = 1U << 1,
     .macs = macs},
};
OQ_MICROSOFT_OP(FusedMatMul, versions);
