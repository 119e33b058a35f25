// LeakyRelu: x, or alpha * x below 0.
#include "ops/lib/elementwise.h"
#include "ops/lib/unary.h"

OQ_UNARY_LOOP(f32, float, x < 0 ? a * x : x)
OQ_UNARY_LOOP(f64, double, x < 0 ? a * x : x)

static const oq_unary formula = OQ_UNARY_FLOATS;
static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_unary_run(context, &formula, oq_node_float(context->node, "alpha", 0.01f), 0, err);
}

static const oq_op_version versions[] = {OQ_VERSIONS_ACTIVATION(16, {"alpha", OQ_ATTR_FLOAT, false})};

OQ_ONNX_OP(LeakyRelu, versions);
