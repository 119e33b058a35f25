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

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs_1[] = {
    {"consumed_inputs", OQ_ATTR_INTS, false}, {"alpha", OQ_ATTR_FLOAT, false}, {0}};
static const oq_attr_spec attrs_6[] = {{"alpha", OQ_ATTR_FLOAT, false}, {0}};

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

OQ_ONNX_OP(Elu, versions);
