// ConvInteger: 8-bit convolution to exact int32.
#include "ops/lib/convolution_8.h"
#include "ops/lib/qparam.h"

enum { X, W, X_ZERO, W_ZERO };

static oq_status infer(oq_infer_context *context, oq_error *err) {
    return oq_convolution_infer(context, X, W, ONNXQ_INT32, err);
}

static oq_status prepare(oq_run_context *context, void **state, oq_error *err) {
    return oq_convolution_8_prepare(context, W, state, err);
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, X);
    const oq_tensor *w = oq_in(context, W);
    oq_convolution c;
    OQ_TRY(oq_convolution_plan(context->node, &x->shape, &w->shape, &c, err));
    oq_qparams x_zero;
    oq_qparams w_zero;
    OQ_TRY(oq_qparams_read(context, SIZE_MAX, X_ZERO, "the input", &x_zero, err));
    OQ_TRY(oq_qparams_read(context, SIZE_MAX, W_ZERO, "the weight", &w_zero, err));
    if (x_zero.count != 1 || (w_zero.count != 1 && w_zero.count != c.filters)) {
        return oq_fail(
            err, ONNXQ_BAD_MODEL,
            "x_zero_point must be a scalar, w_zero_point a scalar or one value for each of %zu filters",
            c.filters);
    }
    oq_tensor *y = NULL;
    OQ_TRY(oq_out(context, 0, ONNXQ_INT32, &c.out, &y, err));
    oq_convolution_8 conv = {.plan = &c,
                             .w = w,
                             .x_signed = x->dtype == ONNXQ_INT8,
                             .x_zero = x_zero.zero[0],
                             .w_zero = w_zero.zero,
                             .w_zero_per_filter = w_zero.count > 1};
    for (size_t i = 0; i < c.images; i++) {
        conv.x = (const uint8_t *)x->data + i * c.in_image;
        conv.acc = (int32_t *)y->data + i * c.out_image;
        OQ_TRY(oq_convolution_8_run(context, &conv, err));
    }
    return ONNXQ_OK;
}

static uint64_t macs(const oq_graph *graph, const oq_node *node) {
    return oq_convolution_macs(graph, node, W);
}

#define T8 (OQ_T(INT8) | OQ_T(UINT8))
static const oq_type_set types[] = {{"T1", T8}, {"T2", T8}, {"T3", OQ_T(INT32)}, {0}};
static const oq_attr_spec attrs[] = {OQ_CONVOLUTION_ATTRS, {0}};

static const oq_op_version versions[] = {
    {.since = 10,
     .signature = "x:T1, w:T2, x_zero_point?:T1, w_zero_point?:T2 -> y:T3",
     .types = types,
     .attrs = attrs,
     .infer = infer,
     .run = run,
     .prepare = prepare,
     .release = oq_packed_free,
     .spent = 1U << W,
     .macs = macs},
};
OQ_ONNX_OP(ConvInteger, versions);
