// EyeLike: ones on one diagonal of a matrix of the input's shape.
#include "ops/lib/lists.h"
#include "ops/lib/schema.h"

#include <string.h>

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data;
    oq_tensor *out;
    OQ_TRY(oq_need(context, 0, &data, err));
    if (data->shape.rank != 2)
        return oq_fail(err, ONNXQ_BAD_MODEL, "EyeLike of an input of rank %d", data->shape.rank);
    const oq_dtype dtype = (oq_dtype)oq_node_int(context->node, "dtype", data->dtype);
    OQ_TRY(oq_out(context, 0, dtype, &data->shape, &out, err));
    if (oq_work_of(dtype) == OQ_WORK_NONE) return oq_no_loop(context, dtype, err);
    const int64_t rows = data->shape.dim[0], columns = data->shape.dim[1];
    const int64_t k = oq_node_int(context->node, "k", 0);
    const size_t element = oq_dtype_bytes(dtype);
    unsigned char one[16];
    oq_store_f64(dtype, &(double){1}, one, 1);
    memset(out->data, 0, oq_tensor_bytes(out));
    for (int64_t r = 0; r < rows; ++r) {
        int64_t c;
        if (!oq_add_i64(r, k, &c) || c < 0 || c >= columns) continue;
        memcpy((char *)out->data + (size_t)(r * columns + c) * element, one, element);
    }
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *in = oq_infer_in(context, 0);
    oq_dtype dtype;
    OQ_TRY(oq_infer_dtype_attr(context, "dtype", oq_infer_dtype(context, 0), &dtype, err));
    oq_infer_set(context, 0, dtype, in ? in->rank : -1, in ? in->dim : NULL);
    return ONNXQ_OK;
}

#define VERSION(SINCE, SET)                                                                                  \
    {                                                                                                        \
        .since = SINCE, .signature = "input:T1 -> output:T2",                                                \
        .types = OQ_TYPES({"T1", (SET) | OQ_T(BOOL)}, {"T2", (SET) | OQ_T(BOOL)}),                           \
        .attrs = OQ_ATTRS({"dtype", OQ_ATTR_INT, false}, {"k", OQ_ATTR_INT, false}), .infer = infer,         \
        .run = run                                                                                           \
    }

static const oq_op_version versions[] = {VERSION(9, OQ_T_NUMERIC3), VERSION(22, OQ_T_NUMERIC4)};

OQ_ONNX_OP(EyeLike, versions);
