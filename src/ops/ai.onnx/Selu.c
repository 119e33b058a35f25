// Selu: gamma * x, or gamma * alpha * (e^x - 1) up to 0.
#include "ops/lib/elementwise.h"
#include "ops/lib/smooth.h"
#include "ops/lib/unary.h"

#include <math.h>

static void block(const float *x, float *y, size_t n, float a, float b) {
    float t[OQ_BLOCK];
    oq_block_expm1(x, t, n);
    for (size_t i = 0; i < n; i++) y[i] = b * (x[i] > 0 ? x[i] : a * t[i]);
}
OQ_UNARY_BLOCKS(f32, block)
OQ_UNARY_LOOP(f64, double, b *(x > 0 ? x : a * expm1(x)))

static const oq_unary formula = OQ_UNARY_FLOATS;

// Version 1 had other (less exact) constants as defaults.
static oq_status run_1(oq_run_context *context, oq_error *err) {
    return oq_unary_run(context, &formula, oq_node_float(context->node, "alpha", 1.6732f),
                        oq_node_float(context->node, "gamma", 1.0507f), err);
}

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_unary_run(context, &formula, oq_node_float(context->node, "alpha", 1.67326319217681884765625f),
                        oq_node_float(context->node, "gamma", 1.05070102214813232421875f), err);
}

// The old defaults become explicit.
static oq_status upgrade_6(oq_upgrade_context *context, oq_error *err) {
    OQ_TRY(oq_upgrade_consumed(context, err));
    if (!oq_node_attr(context->node, "alpha"))
        OQ_TRY(oq_node_set_float(context->graph, context->node, "alpha", 1.6732f, err));
    if (!oq_node_attr(context->node, "gamma"))
        OQ_TRY(oq_node_set_float(context->graph, context->node, "gamma", 1.0507f, err));
    return ONNXQ_OK;
}

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs_1[] = {{"consumed_inputs", OQ_ATTR_INTS, false},
                                       {"gamma", OQ_ATTR_FLOAT, false},
                                       {"alpha", OQ_ATTR_FLOAT, false},
                                       {0}};
static const oq_attr_spec attrs_6[] = {{"gamma", OQ_ATTR_FLOAT, false}, {"alpha", OQ_ATTR_FLOAT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "X:T -> Y:T",
     .types = types_1,
     .attrs = attrs_1,
     .infer = oq_infer_unary,
     .run = run_1},
    {.since = 6,
     .signature = "X:T -> Y:T",
     .types = types_1,
     .attrs = attrs_6,
     .infer = oq_infer_unary,
     .run = run,
     .upgrade = upgrade_6},
    {.since = 22,
     .signature = "X:T -> Y:T",
     .types = types_22,
     .attrs = attrs_6,
     .infer = oq_infer_unary,
     .run = run},
};

OQ_ONNX_OP(Selu, versions);
