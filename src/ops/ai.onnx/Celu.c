// Celu: max(0, x) + min(0, alpha * (e^(x / alpha) - 1)).
#include "ops/lib/elementwise.h"
#include "ops/lib/smooth.h"
#include "ops/lib/unary.h"

#include <math.h>

static void block(const float *x, float *y, size_t n, float a, float b) {
    float t[OQ_BLOCK];
    (void)b;
    for (size_t i = 0; i < n; i++) t[i] = x[i] / a;
    oq_block_expm1(t, t, n);
    for (size_t i = 0; i < n; i++) y[i] = x[i] > 0 ? x[i] : a * t[i];
}
OQ_UNARY_BLOCKS(f32, block)
OQ_UNARY_LOOP(f64, double, x > 0 ? x : a * expm1(x / a))

static const oq_unary formula = OQ_UNARY_FLOATS;
static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_unary_run(context, &formula, oq_node_float(context->node, "alpha", 1.0f), 0, err);
}

static const oq_type_set types_12[] = {{"T", OQ_T(FLOAT)}, {0}};
static const oq_type_set types_28[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs_12[] = {{"alpha", OQ_ATTR_FLOAT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 12,
     .signature = "X:T -> Y:T",
     .types = types_12,
     .attrs = attrs_12,
     .infer = oq_infer_unary,
     .run = run},
    {.since = 28,
     .signature = "X:T -> Y:T",
     .types = types_28,
     .attrs = attrs_12,
     .infer = oq_infer_unary,
     .run = run},
};

OQ_ONNX_OP(Celu, versions);
