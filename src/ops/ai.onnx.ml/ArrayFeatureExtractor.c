// ArrayFeatureExtractor: picks along the last axis; a vector is one row.
#include "ops/lib/gather.h"
#include "ops/lib/mover.h"
#include "ops/lib/schema.h"

#include <string.h>

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data, *indices;
    const int64_t *picks;
    size_t count;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(oq_need(context, 1, &indices, err));
    OQ_TRY(oq_list_of(context, indices, &picks, &count, err));
    const int rank = data->shape.rank;
    if (rank < 1)
        return oq_fail(err, ONNXQ_BAD_MODEL, "ArrayFeatureExtractor needs an input of rank 1 or more");
    const int64_t size = data->shape.dim[rank - 1];
    OQ_TRY(oq_check_indices(context, picks, count, size, err));
    oq_shape shape = rank == 1 ? OQ_SHAPE(1, 0) : data->shape;
    shape.dim[shape.rank - 1] = (int64_t)count;
    oq_mover m;
    OQ_TRY(oq_mover_open(&m, context, 0, &shape, &data, 1, err));
    const int64_t rows = oq_shape_range_count(&data->shape, 0, rank - 1);
    unsigned char *to = m.to;
    for (int64_t row = 0; row < rows; ++row) {
        const unsigned char *from = m.from[0] + (size_t)(row * size) * m.element;
        for (size_t k = 0; k < count; ++k, to += m.element)
            memcpy(to, from + (size_t)(picks[k] < 0 ? picks[k] + size : picks[k]) * m.element, m.element);
    }
    return oq_mover_close(&m, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *data = oq_infer_in(context, 0), *indices = oq_infer_in(context, 1);
    (void)err;
    oq_infer_set_dtype(context, 0, oq_infer_dtype(context, 0));
    if (!data || data->rank < 1) return ONNXQ_OK;
    oq_type out = *data;
    out.rank = data->rank == 1 ? 2 : data->rank;
    if (data->rank == 1) out.dim[0] = oq_dim_of(1);
    out.dim[out.rank - 1] = indices && indices->rank >= 0
                                ? oq_dims_product(indices->dim, (size_t)indices->rank)
                                : OQ_DIM_ANONYMOUS;
    oq_infer_set_type(context, 0, &out);
    return ONNXQ_OK;
}

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "X:T, Y:int64 -> Z:T",
     .types = OQ_TYPES({"T", OQ_T_FLOAT32 | OQ_T(DOUBLE) | OQ_T_INDEX | OQ_T(STRING)}),
     .infer = infer,
     .run = run},
};

OQ_OP(ai_onnx_ml, ArrayFeatureExtractor, "ai.onnx.ml", versions, OQ_OP_PLAIN);
