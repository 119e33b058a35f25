// QLinearSoftmax: softmax of an 8-bit tensor, its exponentials from a table.
#include "base/math.h"
#include "ops/lib/axes.h"
#include "ops/lib/infer.h"
#include "ops/lib/qlinear.h"

#include <math.h>
#include <string.h>

enum { X, X_SCALE, X_ZERO, Y_SCALE, Y_ZERO };

// Before opset 13 (attribute `opset`) all axes from `axis` on are one.
static oq_status read_view(const oq_run_context *context, const oq_shape *shape, oq_axis_view *out,
                           oq_error *err) {
    const bool joined = oq_node_int(context->node, "opset", 0) < 13;
    int axis = 0;
    OQ_TRY(oq_axis_of(context, oq_node_int(context->node, "axis", -1), shape->rank, &axis, err));
    *out = oq_axis_view_of(shape, axis);
    if (joined) *out = (oq_axis_view){.outer = out->outer, .axis = out->axis * out->inner, .inner = 1};
    return ONNXQ_OK;
}

// Entry i is e^((i - 255) * scale): of the value i below the greatest one of its row, counted from 255.
static void exponentials(float scale, float table[256]) {
    for (int i = 0; i < 256; i++) table[i] = oq_expf((float)(i - 255) * scale);
}

// One row of `n` bytes `step` apart. ONNX Runtime divides by whole steps of the output: 1 / scale is rounded
// down, and the zero point is added after rounding.
static void softmax_row(const float *table, bool is_signed, oq_qlinear y, const uint8_t *x, uint8_t *to,
                        size_t n, size_t step) {
    const uint8_t flip = is_signed ? 0x80 : 0; // signed bytes in the order of unsigned ones
    const int32_t low = is_signed ? -128 : 0;
    const float steps = floorf(1.0F / y.scale);
    uint8_t most = 0;
    float sum = 0;
    for (size_t i = 0; i < n; i++) {
        const uint8_t q = x[i * step] ^ flip;
        if (q > most) most = q;
    }
    table += 255 - most;
    for (size_t i = 0; i < n; i++) sum += table[x[i * step] ^ flip];
    for (size_t i = 0; i < n; i++) {
        const int32_t q = (int32_t)rintf(table[x[i * step] ^ flip] * steps / sum) + y.zero;
        to[i * step] = (uint8_t)(q > low + 255 ? low + 255 : q);
    }
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, X);
    oq_axis_view view;
    oq_qlinear in;
    oq_qlinear out;
    oq_tensor *y = NULL;
    float table[256];
    OQ_TRY(read_view(context, &x->shape, &view, err));
    OQ_TRY(oq_qlinear_read(context, X_SCALE, X_ZERO, "X", &in, err));
    OQ_TRY(oq_qlinear_read(context, Y_SCALE, Y_ZERO, "Y", &out, err));
    OQ_TRY(oq_out(context, 0, x->dtype, &x->shape, &y, err));
    exponentials(in.scale, table);
    for (size_t i = 0; i < view.outer * view.inner; i++) {
        const size_t at = i / view.inner * view.axis * view.inner + i % view.inner;
        softmax_row(table, x->dtype == ONNXQ_INT8, out, (const uint8_t *)x->data + at,
                    (uint8_t *)y->data + at, view.axis, view.inner);
    }
    return ONNXQ_OK;
}

static const oq_type_set types[] = {{"T", OQ_QLINEAR_T8}, {0}};
static const oq_attr_spec attrs[] = {{"axis", OQ_ATTR_INT, false}, {"opset", OQ_ATTR_INT, true}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "X:T, X_scale:float32, x_zero_point?:T, y_scale:float32, y_zero_point:T -> Y:T",
     .types = types,
     .attrs = attrs,
     .infer = oq_infer_unary,
     .run = run},
};
OQ_MICROSOFT_OP(QLinearSoftmax, versions);
