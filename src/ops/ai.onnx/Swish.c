// Swish: x * sigmoid(alpha * x).
#include "kernels/rows.h"
#include "ops/lib/elementwise.h"
#include "ops/lib/unary.h"

#include <math.h>

static void f32(const void *from, void *into, size_t n, const oq_parameter *p) {
    float t[OQ_BLOCK];
    const float alpha = (float)p[0].f;
    for (size_t at = 0; at < n; at += OQ_BLOCK) {
        const float *const x = (const float *)from + at;
        float *const y = (float *)into + at;
        const size_t count = oq_min_size(OQ_BLOCK, n - at);
        for (size_t i = 0; i < count; i++) t[i] = alpha * x[i];
        oq_rows_sigmoid(t, t, count);
        for (size_t i = 0; i < count; i++) y[i] = x[i] * t[i];
    }
}

OQ_UNARY_LOOP(f64, double, x / (1 + exp(-a * x)))

static const oq_unary formula = OQ_UNARY_FLOATS;
static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_unary_run(context, &formula, oq_node_float(context->node, "alpha", 1.0f), 0, err);
}

static const oq_type_set types_24[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs_24[] = {{"alpha", OQ_ATTR_FLOAT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 24,
     .signature = "X:T -> Y:T",
     .types = types_24,
     .attrs = attrs_24,
     .infer = oq_infer_unary,
     .run = run},
};

OQ_ONNX_OP(Swish, versions);
