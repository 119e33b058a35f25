// DynamicQuantizeLinear: a tensor to uint8 with scale and zero point from its own range.
#include "kernels/rows.h"
#include "ops/lib/dynamic.h"
#include "ops/lib/infer.h"

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *x = oq_infer_in(context, 0);
    (void)err;
    if (x) oq_infer_set(context, 0, ONNXQ_UINT8, x->rank, x->dim);
    oq_infer_set(context, 1, ONNXQ_FLOAT, 0, NULL);
    oq_infer_set(context, 2, ONNXQ_UINT8, 0, NULL);
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    const oq_shape scalar = {0};
    const size_t count = (size_t)oq_tensor_count(x);
    float scale = 0;
    int32_t zero_point = 0;
    oq_dynamic_parameters(x->data, count, &scale, &zero_point);
    oq_tensor *out[3] = {NULL};
    OQ_TRY(oq_out(context, 0, ONNXQ_UINT8, &x->shape, &out[0], err));
    OQ_TRY(oq_out(context, 1, ONNXQ_FLOAT, &scalar, &out[1], err));
    OQ_TRY(oq_out(context, 2, ONNXQ_UINT8, &scalar, &out[2], err));
    oq_rows_quantize_8(x->data, scale, zero_point, false, out[0]->data, count);
    *(float *)out[1]->data = scale;
    *(uint8_t *)out[2]->data = (uint8_t)zero_point;
    return ONNXQ_OK;
}

static const oq_type_set types[] = {{"T1", OQ_T_FLOAT32}, {"T2", OQ_T(UINT8)}, {0}};

static const oq_op_version versions[] = {
    {.since = 11,
     .signature = "x:T1 -> y:T2, y_scale:float32, y_zero_point:T2",
     .types = types,
     .infer = infer,
     .run = run},
};
OQ_ONNX_OP(DynamicQuantizeLinear, versions);
