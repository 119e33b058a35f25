// ReverseSequence: the first `length` steps of each sequence of a batch in reverse.
#include "ops/lib/lists.h"
#include "ops/lib/mover.h"
#include "ops/lib/schema.h"

#include <string.h>

static oq_status check(const oq_node *node, const oq_shape *shape, const oq_tensor *lengths, int *time,
                       oq_error *err) {
    const int64_t batch_axis = oq_node_int(node, "batch_axis", 1),
                  time_axis = oq_node_int(node, "time_axis", 0);
    if (shape->rank < 2 || batch_axis < 0 || batch_axis > 1 || time_axis != 1 - batch_axis)
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "ReverseSequence needs batch_axis and time_axis 0 and 1 of rank 2 or more");
    *time = (int)time_axis;
    if (lengths->dtype != ONNXQ_INT64 || lengths->shape.rank != 1 ||
        lengths->shape.dim[0] != shape->dim[batch_axis])
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "ReverseSequence needs one int64 length for each of %lld sequences",
                       (long long)shape->dim[batch_axis]);
    for (int64_t b = 0; b < shape->dim[batch_axis]; ++b) {
        const int64_t length = ((const int64_t *)lengths->data)[b];
        if (length < 0 || length > shape->dim[*time])
            return oq_fail(err, ONNXQ_BAD_DATA, "sequence %lld of ReverseSequence has length %lld of %lld",
                           (long long)b, (long long)length, (long long)shape->dim[*time]);
    }
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data, *lengths;
    int time = 0;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(oq_need(context, 1, &lengths, err));
    OQ_TRY(check(context->node, &data->shape, lengths, &time, err));
    const int64_t steps = data->shape.dim[time], batch = data->shape.dim[1 - time];
    oq_mover m;
    OQ_TRY(oq_mover_open(&m, context, 0, &data->shape, &data, 1, err));
    const size_t run = (size_t)oq_shape_range_count(&data->shape, 2, data->shape.rank) * m.element;
    const int64_t step_stride = time == 0 ? batch : 1, batch_stride = time == 0 ? 1 : steps;
    for (int64_t b = 0; run && b < batch; ++b) {
        const int64_t length = ((const int64_t *)lengths->data)[b];
        for (int64_t t = 0; t < steps; ++t) {
            const int64_t from = t < length ? length - 1 - t : t;
            memcpy(m.to + (size_t)(b * batch_stride + t * step_stride) * run,
                   m.from[0] + (size_t)(b * batch_stride + from * step_stride) * run, run);
        }
    }
    return oq_mover_close(&m, err);
}

#define VERSION(SINCE, SET)                                                                                  \
    {                                                                                                        \
        .since = SINCE, .signature = "input:T, sequence_lens:int64 -> Y:T", .types = OQ_TYPES({"T", SET}),   \
        .attrs = OQ_ATTRS({"batch_axis", OQ_ATTR_INT, false}, {"time_axis", OQ_ATTR_INT, false}),            \
        .infer = oq_infer_unary, .run = run                                                                  \
    }

static const oq_op_version versions[] = {VERSION(10, OQ_T_ALL1), VERSION(28, OQ_T_ALL13)};

OQ_ONNX_OP(ReverseSequence, versions);
