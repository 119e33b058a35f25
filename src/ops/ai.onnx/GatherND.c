// GatherND: slices of `data` picked by index tuples, per batch.
#include "ops/lib/gather.h"
#include "ops/lib/mover.h"
#include "ops/lib/pick.h"
#include "ops/lib/schema.h"

static oq_status check_batch(const oq_node *node, int data_rank, int indices_rank, int *batch,
                             oq_error *err) {
    const int64_t given = oq_node_int(node, "batch_dims", 0);
    if (data_rank < 1 || indices_rank < 1 || given < 0 || given >= data_rank || given >= indices_rank)
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "GatherND with %lld batch axes of data of rank %d, indices of rank %d",
                       (long long)given, data_rank, indices_rank);
    *batch = (int)given;
    return ONNXQ_OK;
}

static oq_status output_shape(const oq_run_context *context, const oq_shape *data, const oq_shape *indices,
                              int batch, oq_shape *shape, oq_error *err) {
    const int64_t width = indices->dim[indices->rank - 1];
    if (width > data->rank - batch)
        return oq_fail(err, ONNXQ_BAD_MODEL, "GatherND with tuples of %lld into data of rank %d",
                       (long long)width, data->rank);
    for (int d = 0; d < batch; ++d)
        if (data->dim[d] != indices->dim[d])
            return oq_fail(err, ONNXQ_BAD_MODEL, "batch axis %d of GatherND has sizes %lld and %lld", d,
                           (long long)data->dim[d], (long long)indices->dim[d]);
    const int tail = batch + (int)width;
    shape->rank = indices->rank - 1 + data->rank - tail;
    OQ_TRY(oq_check_rank(context, shape->rank, err));
    for (int d = 0; d < indices->rank - 1; ++d) shape->dim[d] = indices->dim[d];
    for (int d = tail; d < data->rank; ++d) shape->dim[indices->rank - 1 + d - tail] = data->dim[d];
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data, *indices;
    const int64_t *tuples;
    size_t count;
    int batch;
    oq_shape shape;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(oq_need(context, 1, &indices, err));
    OQ_TRY(check_batch(context->node, data->shape.rank, indices->shape.rank, &batch, err));
    OQ_TRY(output_shape(context, &data->shape, &indices->shape, batch, &shape, err));
    OQ_TRY(oq_list_of(context, indices, &tuples, &count, err));
    const int last = indices->shape.rank - 1;
    const int64_t width = indices->shape.dim[last], rows = oq_shape_range_count(&indices->shape, 0, last);
    const int64_t per_batch = oq_shape_range_count(&indices->shape, batch, last);
    oq_mover m;
    OQ_TRY(oq_mover_open(&m, context, 0, &shape, &data, 1, err));
    size_t bytes;
    if (!oq_mul_size((size_t)rows, sizeof(int64_t), &bytes))
        return oq_fail(err, ONNXQ_NO_MEMORY, "too many indices");
    int64_t *offsets = oq_scratch(context, bytes, err);
    if (!offsets) return ONNXQ_NO_MEMORY;
    if (oq_shape_count(&shape)) {
        OQ_TRY(oq_tuple_offsets(context, &data->shape, batch, tuples, rows, width, per_batch, offsets, err));
        const int64_t run = oq_shape_range_count(&data->shape, batch + (int)width, data->shape.rank);
        oq_pick_runs(m.to, m.from[0], offsets, (size_t)rows, (size_t)run, m.element);
    }
    return oq_mover_close(&m, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *data = oq_infer_in(context, 0), *indices = oq_infer_in(context, 1);
    oq_infer_set_dtype(context, 0, oq_infer_dtype(context, 0));
    if (!data || !indices || data->rank < 0 || indices->rank < 0) return ONNXQ_OK;
    int batch;
    OQ_TRY(check_batch(context->node, data->rank, indices->rank, &batch, err));
    const oq_dim width = indices->dim[indices->rank - 1];
    if (!oq_dim_known(width)) return ONNXQ_OK;
    if (width.size > data->rank - batch)
        return oq_fail(err, ONNXQ_BAD_MODEL, "GatherND with tuples of %lld into data of rank %d",
                       (long long)width.size, data->rank);
    oq_dim dims[2 * OQ_MAX_RANK];
    int rank = 0;
    for (int d = 0; d < indices->rank - 1; ++d) dims[rank++] = indices->dim[d];
    for (int d = batch + (int)width.size; d < data->rank; ++d) dims[rank++] = data->dim[d];
    if (rank <= OQ_MAX_RANK) oq_infer_set(context, 0, data->dtype, rank, dims);
    return ONNXQ_OK;
}

#define BATCH OQ_ATTRS({"batch_dims", OQ_ATTR_INT, false})
#define VERSION(SINCE, SET, ATTRS)                                                                           \
    {                                                                                                        \
        .since = SINCE, .signature = "data:T, indices:int64 -> output:T", .types = OQ_TYPES({"T", SET}),     \
        .attrs = ATTRS, .infer = infer, .run = run                                                           \
    }

static const oq_op_version versions[] = {VERSION(11, OQ_T_ALL1, NULL), VERSION(12, OQ_T_ALL1, BATCH),
                                         VERSION(13, OQ_T_ALL13, BATCH)};

OQ_ONNX_OP(GatherND, versions);
