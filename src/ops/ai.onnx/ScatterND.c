// ScatterND: a copy with the slices at index tuples replaced, or combined with updates.
#include "ops/lib/gather.h"
#include "ops/lib/scatter.h"
#include "ops/lib/schema.h"

#include <string.h>

static oq_status check(const oq_shape *data, const oq_shape *indices, const oq_shape *updates,
                       oq_error *err) {
    const int64_t width = indices->rank ? indices->dim[indices->rank - 1] : -1;
    bool fits = data->rank && width >= 0 && width <= data->rank &&
                updates->rank == indices->rank - 1 + data->rank - (int)width;
    for (int d = 0; fits && d < updates->rank; ++d)
        fits = updates->dim[d] ==
               (d < indices->rank - 1 ? indices->dim[d] : data->dim[d - (indices->rank - 1) + (int)width]);
    if (fits) return ONNXQ_OK;
    char a[128], b[128], c[128];
    return oq_fail(err, ONNXQ_BAD_MODEL,
                   "ScatterND of data %s, indices %s, updates %s: the shapes do not fit",
                   oq_shape_format(data, a, sizeof a), oq_shape_format(indices, b, sizeof b),
                   oq_shape_format(updates, c, sizeof c));
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data, *indices, *updates;
    const int64_t *tuples;
    size_t count;
    oq_scatter_reduction reduction;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(oq_need(context, 1, &indices, err));
    OQ_TRY(oq_need(context, 2, &updates, err));
    OQ_TRY(check(&data->shape, &indices->shape, &updates->shape, err));
    OQ_TRY(oq_scatter_reduction_of(context->node, &reduction, err));
    OQ_TRY(oq_list_of(context, indices, &tuples, &count, err));
    const int last = indices->shape.rank - 1;
    const int64_t width = indices->shape.dim[last], rows = oq_shape_range_count(&indices->shape, 0, last);
    const oq_tensor *sources[2] = {data, updates};
    oq_mover m;
    OQ_TRY(oq_mover_open(&m, context, 0, &data->shape, sources, 2, err));
    const size_t bytes = (size_t)oq_tensor_count(data) * m.element;
    if (bytes) memcpy(m.to, m.from[0], bytes);
    if (oq_tensor_count(updates)) {
        int64_t *offsets = oq_scratch(context, (size_t)rows * sizeof *offsets, err);
        if (!offsets) return ONNXQ_NO_MEMORY;
        OQ_TRY(oq_tuple_offsets(context, &data->shape, 0, tuples, rows, width, rows, offsets, err));
        const int64_t run = oq_shape_range_count(&data->shape, (int)width, data->shape.rank);
        OQ_TRY(oq_scatter(context, data->dtype, &m, m.from[1], offsets, (size_t)rows, (size_t)run, reduction,
                          err));
    }
    return oq_mover_close(&m, err);
}

#define REDUCTION OQ_ATTRS({"reduction", OQ_ATTR_STRING, false})
#define VERSION(SINCE, SET, ATTRS)                                                                           \
    {                                                                                                        \
        .since = SINCE, .signature = "data:T, indices:int64, updates:T -> output:T",                         \
        .types = OQ_TYPES({"T", SET}), .attrs = ATTRS, .infer = oq_infer_unary, .run = run                   \
    }

static const oq_op_version versions[] = {
    VERSION(11, OQ_T_ALL1, NULL),
    VERSION(13, OQ_T_ALL13, NULL),
    VERSION(16, OQ_T_ALL13, REDUCTION),
    VERSION(18, OQ_T_ALL13, REDUCTION),
};

OQ_ONNX_OP(ScatterND, versions);
