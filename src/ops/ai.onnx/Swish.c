// Swish: x * sigmoid(alpha * x).
#include "ops/lib/elementwise.h"
#include "ops/lib/gelu.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_unary_run(context, &oq_swish, oq_node_float(context->node, "alpha", 1.0f), 0, err);
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
