// Gather: slices of `data` along one axis, picked by an array of indices.
#include "ops/lib/gather.h"
#include "ops/lib/mover.h"
#include "ops/lib/schema.h"

#include <string.h>

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data, *indices;
    const int64_t *picks;
    size_t count;
    int axis;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(oq_need(context, 1, &indices, err));
    OQ_TRY(oq_axis(context, oq_node_int(context->node, "axis", 0), data->shape.rank, &axis, err));
    OQ_TRY(oq_list_of(context, indices, &picks, &count, err));
    const int64_t size = data->shape.dim[axis];
    OQ_TRY(oq_check_indices(context, picks, count, size, err));
    oq_shape shape = {.rank = data->shape.rank - 1 + indices->shape.rank};
    OQ_TRY(oq_check_rank(context, shape.rank, err));
    int d = 0;
    for (int k = 0; k < axis; ++k) shape.dim[d++] = data->shape.dim[k];
    for (int k = 0; k < indices->shape.rank; ++k) shape.dim[d++] = indices->shape.dim[k];
    for (int k = axis + 1; k < data->shape.rank; ++k) shape.dim[d++] = data->shape.dim[k];
    oq_mover m;
    OQ_TRY(oq_mover_open(&m, context, 0, &shape, &data, 1, err));
    const int64_t outer = oq_shape_range_count(&data->shape, 0, axis);
    const size_t run = (size_t)oq_shape_range_count(&data->shape, axis + 1, data->shape.rank) * m.element;
    unsigned char *to = m.to;
    for (int64_t o = 0; run && o < outer; ++o) {
        const unsigned char *from = m.from[0] + (size_t)(o * size) * run;
        for (size_t k = 0; k < count; ++k, to += run)
            memcpy(to, from + (size_t)(picks[k] < 0 ? picks[k] + size : picks[k]) * run, run);
    }
    return oq_mover_close(&m, err);
}

// Shape -> Gather: picked elements of a list.
static oq_status gather_elements(oq_infer_context *context, oq_error *err) {
    size_t count, picked;
    const oq_dim *elements = oq_infer_elements(context, 0, &count);
    int64_t picks[OQ_INFER_MAX_DIMS], at;
    oq_dim taken[OQ_INFER_MAX_DIMS];
    if (!elements || oq_infer_rank(context, 0) != 1) return ONNXQ_OK;
    if (!oq_infer_ints(context, 1, picks, OQ_INFER_MAX_DIMS, &picked)) return ONNXQ_OK;
    for (size_t k = 0; k < picked; ++k) {
        if (!oq_index(picks[k], (int64_t)count, &at))
            return oq_fail(err, ONNXQ_BAD_MODEL, "index %lld of Gather is out of range for size %zu",
                           (long long)picks[k], count);
        taken[k] = elements[at];
    }
    return oq_infer_set_elements(context, 0, taken, picked, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *data = oq_infer_in(context, 0), *indices = oq_infer_in(context, 1);
    oq_infer_set_dtype(context, 0, oq_infer_dtype(context, 0));
    if (!data || !indices || data->rank < 0 || indices->rank < 0) return ONNXQ_OK;
    int axis, rank = 0;
    OQ_TRY(oq_infer_axis(context, oq_node_int(context->node, "axis", 0), data->rank, &axis, err));
    if (data->rank - 1 + indices->rank > OQ_MAX_RANK) return ONNXQ_OK;
    oq_dim dims[OQ_MAX_RANK];
    for (int k = 0; k < axis; ++k) dims[rank++] = data->dim[k];
    for (int k = 0; k < indices->rank; ++k) dims[rank++] = indices->dim[k];
    for (int k = axis + 1; k < data->rank; ++k) dims[rank++] = data->dim[k];
    oq_infer_set(context, 0, data->dtype, rank, dims);
    return gather_elements(context, err);
}

#define VERSION(SINCE, SET)                                                                                  \
    {                                                                                                        \
        .since = SINCE, .signature = "data:T, indices:Tind -> output:T",                                     \
        .types = OQ_TYPES({"T", SET}, {"Tind", OQ_T_INDEX}),                                                 \
        .attrs = OQ_ATTRS({"axis", OQ_ATTR_INT, false}), .infer = infer, .run = run                          \
    }

static const oq_op_version versions[] = {VERSION(1, OQ_T_ALL1), VERSION(11, OQ_T_ALL1),
                                         VERSION(13, OQ_T_ALL13)};

OQ_ONNX_OP(Gather, versions);
