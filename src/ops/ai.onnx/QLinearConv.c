// QLinearConv: 8-bit convolution, exact int32 sums, requantized per tensor or per filter.
#include "ops/lib/convolution.h"
#include "ops/lib/convolution_8.h"
#include "ops/lib/infer.h"
#include "ops/lib/qparam.h"

enum { X, X_SCALE, X_ZERO, W, W_SCALE, W_ZERO, Y_SCALE, Y_ZERO, BIAS };

static oq_status infer(oq_infer_context *context, oq_error *err) {
    return oq_convolution_infer(context, X, W, oq_infer_dtype(context, Y_ZERO), err);
}

static oq_status prepare(oq_run_context *context, void **state, oq_error *err) {
    return oq_convolution_8_prepare(context, W, state, err);
}

// The three parameter sets in their legal sizes.
static oq_status read_parameters(oq_run_context *context, size_t filters, oq_qparams p[3], oq_error *err) {
    OQ_TRY(oq_qparams_read(context, X_SCALE, X_ZERO, "the input", &p[0], err));
    OQ_TRY(oq_qparams_read(context, W_SCALE, W_ZERO, "the weight", &p[1], err));
    OQ_TRY(oq_qparams_read(context, Y_SCALE, Y_ZERO, "the output", &p[2], err));
    if (p[0].count != 1 || p[2].count != 1) {
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "scales of the input and the output of QLinearConv must be scalars");
    }
    if (p[1].count != 1 && p[1].count != filters) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "the weight has %zu scales for %zu filters", p[1].count,
                       filters);
    }
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, X);
    const oq_tensor *w = oq_in(context, W);
    const oq_tensor *bias = oq_in(context, BIAS);
    const oq_dtype dtype = oq_in(context, Y_ZERO)->dtype;
    oq_convolution c;
    OQ_TRY(oq_convolution_plan(context->node, &x->shape, &w->shape, &c, err));
    if (bias && oq_tensor_count(bias) != (int64_t)c.filters) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "the bias has %lld values for %zu filters",
                       (long long)oq_tensor_count(bias), c.filters);
    }
    oq_qparams p[3];
    OQ_TRY(read_parameters(context, c.filters, p, err));
    float *multiplier = NULL;
    OQ_TRY(oq_qparams_multiplier(context, &p[0], &p[1], p[2].scale[0], &multiplier, err));
    oq_tensor *y = NULL;
    OQ_TRY(oq_out(context, 0, dtype, &c.out, &y, err));
    void *acc = NULL;
    OQ_TRY(oq_scratch_array(context, c.out_image, sizeof(int32_t), &acc, err));
    oq_requantize requantize = {.bias = bias ? bias->data : NULL,
                                .multiplier = multiplier,
                                .per_channel = p[1].count > 1,
                                .is_signed = dtype == ONNXQ_INT8,
                                .zero_point = p[2].zero[0]};
    oq_convolution_8 conv = {.plan = &c, .w = w, .x_signed = x->dtype == ONNXQ_INT8, .x_zero = p[0].zero[0]};
    conv.w_zero = p[1].zero;
    conv.w_zero_per_filter = p[1].count > 1;
    conv.requantize = &requantize;
    conv.acc = acc;
    for (size_t i = 0; i < c.images; i++) {
        conv.x = (const uint8_t *)x->data + i * c.in_image;
        requantize.out = (uint8_t *)y->data + i * c.out_image;
        OQ_TRY(oq_convolution_8_run(context, &conv, err));
    }
    return ONNXQ_OK;
}

static uint64_t macs(const oq_graph *graph, const oq_node *node) {
    return oq_convolution_macs(graph, node, W);
}

#define T8 (OQ_T(INT8) | OQ_T(UINT8))
static const oq_type_set types[] = {{"T1", T8}, {"T2", T8}, {"T3", T8}, {"T4", OQ_T(INT32)}, {0}};
static const oq_attr_spec attrs[] = {OQ_CONVOLUTION_ATTRS, {0}};

static const oq_op_version versions[] = {
    {.since = 10,
     .signature = "x:T1, x_scale:float32, x_zero_point:T1, w:T2, w_scale:float32, w_zero_point:T2, "
                  "y_scale:float32, y_zero_point:T3, B?:T4 -> y:T3",
     .types = types,
     .attrs = attrs,
     .infer = infer,
     .run = run,
     .prepare = prepare,
     .release = oq_packed_free,
     .spent = 1U << W,
     .macs = macs},
};
OQ_ONNX_OP(QLinearConv, versions);
