// DynamicQuantizeLinear: a tensor to uint8 with scale and zero point from its own range.
#include "kernels/rows.h"
#include "ops/lib/infer.h"
#include "ops/lib/work.h"

#include <math.h>

#define LANES 16

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *x = oq_infer_in(context, 0);
    (void)err;
    if (x) oq_infer_set(context, 0, ONNXQ_UINT8, x->rank, x->dim);
    oq_infer_set(context, 1, ONNXQ_FLOAT, 0, NULL);
    oq_infer_set(context, 2, ONNXQ_UINT8, 0, NULL);
    return ONNXQ_OK;
}

// Least and greatest of the values and 0, in lanes so that the compiler can vectorise; NaN is skipped.
static void range_of(const float *x, size_t n, float *low, float *high) {
    float least[LANES] = {0};
    float most[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (size_t k = 0; k < LANES; k++) {
            least[k] = x[i + k] < least[k] ? x[i + k] : least[k];
            most[k] = x[i + k] > most[k] ? x[i + k] : most[k];
        }
    }
    for (size_t k = 0; i < n; i++, k++) {
        least[k] = x[i] < least[k] ? x[i] : least[k];
        most[k] = x[i] > most[k] ? x[i] : most[k];
    }
    *low = 0;
    *high = 0;
    for (size_t k = 0; k < LANES; k++) {
        *low = least[k] < *low ? least[k] : *low;
        *high = most[k] > *high ? most[k] : *high;
    }
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    const oq_shape scalar = {0};
    const size_t count = (size_t)oq_tensor_count(x);
    float low = 0;
    float high = 0;
    range_of(x->data, count, &low, &high);
    const float scale = high > low ? (high - low) / 255.0F : 1.0F;
    const float zero = rintf((0.0F - low) / scale);
    const int32_t zero_point = zero >= 255.0F ? 255 : zero > 0.0F ? (int32_t)zero : 0;
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
