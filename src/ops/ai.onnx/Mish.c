// Mish: x * tanh(log(1 + e^x)), as x * m / (m + 2) with m = e^x * (e^x + 2); beyond 20 that is x.
#include "kernels/rows.h"
#include "ops/lib/elementwise.h"
#include "ops/lib/smooth.h"
#include "ops/lib/unary.h"

#include <math.h>

static void block(const float *x, float *y, size_t n, float a, float b) {
    float e[OQ_BLOCK];
    (void)a, (void)b;
    oq_rows_exp(x, e, n);
    for (size_t i = 0; i < n; i++) {
        const float m = e[i] * (e[i] + 2), inner = x[i] * (m / (m + 2));
        y[i] = x[i] > 20 ? x[i] : inner;
    }
}
OQ_UNARY_BLOCKS(f32, block)
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
