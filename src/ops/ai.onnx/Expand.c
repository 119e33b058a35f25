// Expand: broadcasts a tensor with a shape that is given as data.
#include "ops/lib/lists.h"
#include "ops/lib/mover.h"
#include "ops/lib/schema.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data;
    const int64_t *sizes;
    size_t count;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(oq_list_input(context, 1, &sizes, &count, err));
    if (!sizes || count > OQ_MAX_RANK)
        return oq_fail(err, ONNXQ_BAD_MODEL, "Expand needs a shape of at most %d sizes", OQ_MAX_RANK);
    const oq_shape target = oq_shape_of((int)count, sizes);
    oq_shape shape;
    OQ_TRY(oq_shape_check(&target, 1, NULL, err));
    OQ_TRY(oq_shape_broadcast(&data->shape, &target, &shape, err));
    if (oq_shape_count(&shape) == oq_tensor_count(data)) return oq_out_view(context, 0, data, &shape, err);
    int64_t strides[OQ_MAX_RANK];
    oq_broadcast_strides(&data->shape, &shape, strides);
    oq_mover m;
    OQ_TRY(oq_mover_open(&m, context, 0, &shape, &data, 1, err));
    oq_move_dense(m.to, m.from[0], strides, m.element, shape.rank, shape.dim);
    return oq_mover_close(&m, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *in = oq_infer_in(context, 0);
    size_t count;
    const oq_dim *elements = oq_infer_elements(context, 1, &count);
    oq_infer_set_dtype(context, 0, oq_infer_dtype(context, 0));
    if (!in || in->rank < 0) return ONNXQ_OK;
    const int64_t length = elements ? (int64_t)count : oq_infer_length(context, 1);
    if (length < 0 || length > OQ_MAX_RANK) return ONNXQ_OK;
    const int given = (int)length, rank = given > in->rank ? given : in->rank;
    oq_dim dims[OQ_MAX_RANK];
    for (int d = 0; d < rank; ++d) {
        const int a = d - (rank - in->rank), b = d - (rank - given);
        oq_dim target = oq_dim_of(1);
        if (b >= 0) target = elements ? oq_dim_as_size(elements[b]) : OQ_DIM_ANONYMOUS;
        OQ_TRY(oq_infer_broadcast_dim(context, a >= 0 ? in->dim[a] : oq_dim_of(1), target, &dims[d], err));
    }
    oq_infer_set(context, 0, in->dtype, rank, dims);
    return ONNXQ_OK;
}

#define VERSION(SINCE, SET)                                                                                  \
    {                                                                                                        \
        .since = SINCE, .signature = "input:T, shape:int64 -> output:T", .types = OQ_TYPES({"T", SET}),      \
        .infer = infer, .run = run                                                                           \
    }

static const oq_op_version versions[] = {VERSION(8, OQ_T_ALL1), VERSION(13, OQ_T_ALL13)};

OQ_ONNX_OP(Expand, versions);
