// Celu: max(0, x) + min(0, alpha * (e^(x / alpha) - 1)).
#include "ops/lib/elementwise.h"
#include "ops/lib/scalar.h"
#include "ops/lib/unary.h"

OQ_UNARY_LOOP(f32, float, x > 0 ? x : a * oq_expm1f(x / a))
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
