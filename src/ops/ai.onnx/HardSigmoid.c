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

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs_1[] = {{"consumed_inputs", OQ_ATTR_INTS, false},
                                       {"beta", OQ_ATTR_FLOAT, false},
                                       {"alpha", OQ_ATTR_FLOAT, false},
                                       {0}};
static const oq_attr_spec attrs_6[] = {{"beta", OQ_ATTR_FLOAT, false}, {"alpha", OQ_ATTR_FLOAT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "X:T -> Y:T",
     .types = types_1,
     .attrs = attrs_1,
     .infer = oq_infer_unary,
     .run = run},
    {.since = 6,
     .signature = "X:T -> Y:T",
     .types = types_1,
     .attrs = attrs_6,
     .infer = oq_infer_unary,
     .run = run,
     .upgrade = oq_upgrade_consumed},
    {.since = 22,
     .signature = "X:T -> Y:T",
     .types = types_22,
     .attrs = attrs_6,
     .infer = oq_infer_unary,
     .run = run},
};

OQ_ONNX_OP(HardSigmoid, versions);
