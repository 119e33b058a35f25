// Swish: x * sigmoid(alpha * x).
#include "kernels/rows.h"
#include "ops/lib/elementwise.h"
#include "ops/lib/smooth.h"
#include "ops/lib/unary.h"

#include <math.h>

static void block(const float *x, float *y, size_t n, float a, float b) {
    float t[OQ_BLOCK];
    (void)b;
    for (size_t i = 0; i < n; i++) t[i] = a * x[i];
    oq_rows_sigmoid(t, t, n);
    for (size_t i = 0; i < n; i++) y[i] = x[i] * t[i];
}
OQ_UNARY_BLOCKS(f32, block)

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
