// Softplus: log(1 + e^x), as max(x, 0) + log(1 + e^-|x|).
#include "ops/lib/elementwise.h"
#include "ops/lib/smooth.h"
#include "ops/lib/unary.h"

#include <math.h>

static void block(const float *x, float *y, size_t n, float a, float b) {
    (void)a, (void)b;
    oq_block_softplus(x, y, n);
}
OQ_UNARY_BLOCKS(f32, block)
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
