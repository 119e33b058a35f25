// Elu: x, or alpha * (e^x - 1) up to 0.
#include "ops/lib/elementwise.h"
#include "ops/lib/smooth.h"
#include "ops/lib/unary.h"

#include <math.h>

static void block(const float *x, float *y, size_t n, float a, float b) {
    float t[OQ_BLOCK];
    (void)b;
    oq_block_expm1(x, t, n);
    for (size_t i = 0; i < n; i++) y[i] = x[i] > 0 ? x[i] : a * t[i];
}
OQ_UNARY_BLOCKS(f32, block)
OQ_UNARY_LOOP(f64, double, x > 0 ? x : a * expm1(x))

static const oq_unary formula = OQ_UNARY_FLOATS;
static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_unary_run(context, &formula, oq_node_float(context->node, "alpha", 1.0f), 0, err);
}

static const oq_op_version versions[] = {OQ_VERSIONS_ACTIVATION(22, {"alpha", OQ_ATTR_FLOAT, false})};

OQ_ONNX_OP(Elu, versions);
