// ThresholdedRelu: x above alpha, else 0.
#include "ops/lib/elementwise.h"
#include "ops/lib/unary.h"

OQ_UNARY_LOOP(f32, float, x > a ? x : 0)
OQ_UNARY_LOOP(f64, double, x > a ? x : 0)

static const oq_unary formula = OQ_UNARY_FLOATS;
static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_unary_run(context, &formula, oq_node_float(context->node, "alpha", 1.0f), 0, err);
}

static const oq_type_set types_10[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs_10[] = {{"alpha", OQ_ATTR_FLOAT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 10,
     .signature = "X:T -> Y:T",
     .types = types_10,
     .attrs = attrs_10,
     .infer = oq_infer_unary,
     .run = run},
    {.since = 22,
     .signature = "X:T -> Y:T",
     .types = types_22,
     .attrs = attrs_10,
     .infer = oq_infer_unary,
     .run = run},
};

OQ_ONNX_OP(ThresholdedRelu, versions);
