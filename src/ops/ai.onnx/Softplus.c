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

static const oq_op_version versions[] = {OQ_VERSION_UNARY(1, "X:T -> Y:T", OQ_T_FLOATS3),
                                         OQ_VERSION_UNARY(22, "X:T -> Y:T", OQ_T_FLOATS4)};

OQ_ONNX_OP(Softplus, versions);
