// Softplus: log(1 + e^x), as max(x, 0) + log(1 + e^-|x|).
#include "ops/lib/elementwise.h"
#include "ops/lib/scalar.h"
#include "ops/lib/unary.h"

OQ_UNARY_LOOP(f32, float, (x < 0 ? 0 : x) + oq_log1pf(oq_expf(-fabsf(x))))
OQ_UNARY_LOOP(f64, double, (x < 0 ? 0 : x) + log1p(exp(-fabs(x))))

static const oq_unary formula = OQ_UNARY_FLOATS;
OQ_UNARY_RUN(formula)

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {0}};

static const oq_op_version versions[] = {
    {.since = 1, .signature = "X:T -> Y:T", .types = types_1, .infer = oq_infer_unary, .run = run},
    {.since = 22, .signature = "X:T -> Y:T", .types = types_22, .infer = oq_infer_unary, .run = run},
};

OQ_ONNX_OP(Softplus, versions);
