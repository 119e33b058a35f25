// ConstantOfShape: a tensor of a shape that is given as data, filled with one value.
#include "ops/lib/lists.h"
#include "ops/lib/move.h"
#include "ops/lib/schema.h"

static const oq_constant *value_of(const oq_node *node) {
    const oq_attr *attr = oq_node_attr(node, "value");
    return attr && attr->kind == OQ_ATTR_TENSOR ? attr->tensor : NULL;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const int64_t *sizes;
    size_t count;
    OQ_TRY(oq_list_input(context, 0, &sizes, &count, err));
    if (!sizes || count > OQ_MAX_RANK)
        return oq_fail(err, ONNXQ_BAD_MODEL, "ConstantOfShape needs a shape of at most %d sizes",
                       OQ_MAX_RANK);
    const oq_shape shape = oq_shape_of((int)count, sizes);
    const oq_constant *value = value_of(context->node);
    oq_tensor *out, fill = {.dtype = ONNXQ_FLOAT};
    static const float zero = 0;
    if (value) {
        OQ_TRY(oq_constant_load(context->mem, value, &fill, err));
    } else {
        fill.data = (void *)(uintptr_t)&zero;
    }
    oq_status status = ONNXQ_OK;
    if (oq_tensor_count(&fill) != 1 || !oq_dtype_bytes(fill.dtype))
        status = oq_fail(err, ONNXQ_BAD_MODEL, "value of ConstantOfShape must be one number");
    if (status == ONNXQ_OK) status = oq_out(context, 0, fill.dtype, &shape, &out, err);
    if (status == ONNXQ_OK)
        oq_move_fill(out->data, oq_dtype_bytes(fill.dtype), (size_t)oq_shape_count(&shape), fill.data);
    oq_tensor_release(&fill);
    return status;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_constant *value = value_of(context->node);
    const oq_dtype dtype = value ? value->dtype : ONNXQ_FLOAT;
    size_t count;
    const oq_dim *elements = oq_infer_elements(context, 0, &count);
    if (!elements || count > OQ_MAX_RANK) {
        const int64_t length = oq_infer_length(context, 0);
        oq_infer_set(context, 0, dtype, length >= 0 && length <= OQ_MAX_RANK ? (int)length : -1, NULL);
        return ONNXQ_OK;
    }
    int64_t size, fill;
    for (size_t d = 0; d < count; ++d)
        if (oq_dim_is_number(elements[d], &size) && size < 0)
            return oq_fail(err, ONNXQ_BAD_MODEL, "ConstantOfShape with size %lld", (long long)size);
    oq_infer_set(context, 0, dtype, (int)count, elements);
    // A short list of one integer, as Where -> Expand makes it, is followed further.
    if (count > 1 || (dtype != ONNXQ_INT64 && dtype != ONNXQ_INT32)) return ONNXQ_OK;
    if (count && (!oq_dim_is_number(elements[0], &size) || size > OQ_INFER_MAX_DIMS)) return ONNXQ_OK;
    if (!count) size = 1;
    oq_tensor tensor;
    OQ_TRY(oq_constant_load(context->model->mem, value, &tensor, err));
    fill = oq_tensor_count(&tensor) == 1 ? oq_tensor_get_i64(&tensor, 0) : 0;
    oq_tensor_release(&tensor);
    oq_dim filled[OQ_INFER_MAX_DIMS];
    for (int64_t k = 0; k < size; ++k) filled[k] = oq_dim_number(fill);
    return oq_infer_set_elements(context, 0, filled, (size_t)size, err);
}

#define NUMBERS3 (OQ_T_NUMERIC3 | OQ_T(BOOL))
#define NUMBERS4 (OQ_T_NUMERIC4 | OQ_T(BOOL) | OQ_T_FLOAT8)
#define VERSION(SINCE, SET)                                                                                  \
    {                                                                                                        \
        .since = SINCE, .signature = "input:T1 -> output:T2",                                                \
        .types = OQ_TYPES({"T1", OQ_T(INT64)}, {"T2", SET}),                                                 \
        .attrs = OQ_ATTRS({"value", OQ_ATTR_TENSOR, false}), .infer = infer, .run = run                      \
    }

static const oq_op_version versions[] = {
    VERSION(9, NUMBERS3),
    VERSION(20, NUMBERS4),
    VERSION(21, NUMBERS4 | OQ_T(UINT4) | OQ_T(INT4)),
    VERSION(23, NUMBERS4 | OQ_T(UINT4) | OQ_T(INT4) | OQ_T(FLOAT4E2M1)),
    VERSION(24, NUMBERS4 | OQ_T(UINT4) | OQ_T(INT4) | OQ_T(FLOAT4E2M1) | OQ_T(FLOAT8E8M0)),
    VERSION(25, NUMBERS4 | OQ_T(UINT4) | OQ_T(INT4) | OQ_T(FLOAT4E2M1) | OQ_T(FLOAT8E8M0) | OQ_T(UINT2) |
                    OQ_T(INT2)),
};

OQ_ONNX_OP(ConstantOfShape, versions);
