// Transpose: axes in another order.
#include "ops/lib/lists.h"
#include "ops/lib/mover.h"
#include "ops/lib/schema.h"

// Attribute perm, or the axes reversed.
static oq_status read_perm(const oq_node *node, int rank, int perm[OQ_MAX_RANK], oq_error *err) {
    if (!oq_node_attr(node, "perm")) {
        for (int d = 0; d < rank; ++d) perm[d] = rank - 1 - d;
        return ONNXQ_OK;
    }
    size_t count;
    const int64_t *values = oq_node_ints(node, "perm", &count);
    if (count != (size_t)rank)
        return oq_fail(err, ONNXQ_BAD_MODEL, "perm of Transpose has %zu axes for an input of rank %d", count,
                       rank);
    return oq_axes_list("Transpose", values, count, rank, perm, err);
}

// True when only axes of size 1 change places among the others: then no element moves.
static bool keeps_order(const oq_shape *from, const int *perm) {
    int last = -1;
    for (int d = 0; d < from->rank; ++d) {
        if (from->dim[perm[d]] == 1) continue;
        if (perm[d] < last) return false;
        last = perm[d];
    }
    return true;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data;
    int perm[OQ_MAX_RANK];
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(read_perm(context->node, data->shape.rank, perm, err));
    int64_t strides[OQ_MAX_RANK], from[OQ_MAX_RANK];
    oq_shape shape = {.rank = data->shape.rank};
    oq_shape_strides(&data->shape, strides);
    for (int d = 0; d < shape.rank; ++d) {
        shape.dim[d] = data->shape.dim[perm[d]];
        from[d] = strides[perm[d]];
    }
    if (keeps_order(&data->shape, perm)) return oq_out_view(context, 0, data, &shape, err);
    oq_mover m;
    OQ_TRY(oq_mover_open(&m, context, 0, &shape, &data, 1, err));
    oq_move_dense(m.to, m.from[0], from, m.element, shape.rank, shape.dim);
    return oq_mover_close(&m, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *in = oq_infer_in(context, 0);
    int perm[OQ_MAX_RANK], rank = in ? in->rank : -1;
    oq_dim dims[OQ_MAX_RANK];
    size_t count;
    if (rank < 0 && oq_node_attr(context->node, "perm")) {
        oq_node_ints(context->node, "perm", &count);
        if (count <= OQ_MAX_RANK) rank = (int)count;
    }
    if (rank >= 0) OQ_TRY(read_perm(context->node, rank, perm, err));
    for (int d = 0; d < rank; ++d) dims[d] = oq_infer_dim(context, 0, perm[d]);
    oq_infer_set(context, 0, oq_infer_dtype(context, 0), rank, rank >= 0 ? dims : NULL);
    return ONNXQ_OK;
}

#define VERSION(SINCE, SET)                                                                                  \
    {                                                                                                        \
        .since = SINCE, .signature = "data:T -> transposed:T", .types = OQ_TYPES({"T", SET}),                \
        .attrs = OQ_ATTRS({"perm", OQ_ATTR_INTS, false}), .infer = infer, .run = run                         \
    }

static const oq_op_version versions[] = {
    VERSION(1, OQ_T_ALL1),   VERSION(13, OQ_T_ALL13), VERSION(21, OQ_T_ALL21),
    VERSION(23, OQ_T_ALL23), VERSION(24, OQ_T_ALL24), VERSION(25, OQ_T_ALL25),
};

OQ_ONNX_OP(Transpose, versions);
