// HardSigmoid: alpha * x + beta, kept within [0, 1].
#include "ops/lib/elementwise.h"
#include "ops/lib/smooth.h"
#include "ops/lib/unary.h"

OQ_UNARY_LOOP(f32, float, oq_clampf(a *x + b, 0, 1))
OQ_UNARY_LOOP(f64, double, oq_clamp(a *x + b, 0, 1))

static const oq_unary formula = OQ_UNARY_FLOATS;
static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_unary_run(context, &formula, oq_node_float(context->node, "alpha", 0.2f),
                        oq_node_float(context->node, "beta", 0.5f), err);
}

static const oq_op_version versions[] = {
    OQ_VERSIONS_ACTIVATION(22, {"beta", OQ_ATTR_FLOAT, false}, {"alpha", OQ_ATTR_FLOAT, false})};

OQ_ONNX_OP(HardSigmoid, versions);
