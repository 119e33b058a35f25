// HardSwish: x * HardSigmoid(x) with alpha 1/6 and beta 0.5.
#include "ops/lib/elementwise.h"
#include "ops/lib/smooth.h"
#include "ops/lib/unary.h"

OQ_UNARY_LOOP(f32, float, x *oq_clampf(x *(1.0f / 6.0f) + 0.5f, 0, 1))
OQ_UNARY_LOOP(f64, double, x *oq_clamp(x / 6.0 + 0.5, 0, 1))

static const oq_unary formula = OQ_UNARY_FLOATS;
OQ_UNARY_RUN(formula)

static const oq_type_set types_14[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {0}};

static const oq_op_version versions[] = {
    {.since = 14, .signature = "X:T -> Y:T", .types = types_14, .infer = oq_infer_unary, .run = run},
    {.since = 22, .signature = "X:T -> Y:T", .types = types_22, .infer = oq_infer_unary, .run = run},
};

OQ_ONNX_OP(HardSwish, versions);
