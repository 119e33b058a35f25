// Mish: x * tanh(log(1 + e^x)), as x * n / (n + 2) with n = e^x * (e^x + 2); beyond 20 that is x.
#include "ops/lib/elementwise.h"
#include "ops/lib/scalar.h"
#include "ops/lib/unary.h"

static inline float mish(float x) {
    const float e = oq_expf(x), n = e * (e + 2);
    return x > 20 ? x : x * (n / (n + 2));
}

OQ_UNARY_LOOP(f32, float, mish(x))
OQ_UNARY_LOOP(f64, double, x *tanh((x < 0 ? 0 : x) + log1p(exp(-fabs(x)))))

static const oq_unary formula = OQ_UNARY_FLOATS;
OQ_UNARY_RUN(formula)

static const oq_type_set types_18[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {0}};

static const oq_op_version versions[] = {
    {.since = 18, .signature = "X:T -> Y:T", .types = types_18, .infer = oq_infer_unary, .run = run},
    {.since = 22, .signature = "X:T -> Y:T", .types = types_22, .infer = oq_infer_unary, .run = run},
};

OQ_ONNX_OP(Mish, versions);
