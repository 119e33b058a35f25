// Relu: max(x, 0); NaN and -0 stay.
#include "kernels/rows.h"
#include "ops/lib/elementwise.h"
#include "ops/lib/unary.h"

#include <math.h>

static void f32(const void *from, void *into, size_t n, const oq_parameter *p) {
    (void)p;
    oq_rows_clamp(from, 0, INFINITY, into, n);
}

OQ_UNARY_LOOP(f64, double, x < 0 ? 0 : x)
OQ_UNARY_LOOP(i64, int64_t, x < 0 ? 0 : x)

static const oq_unary formula = {.loop = {[OQ_WORK_F32] = f32, [OQ_WORK_F64] = f64, [OQ_WORK_I64] = i64}};
OQ_UNARY_RUN(formula)

static const oq_op_version versions[] = {OQ_VERSIONS_UNARY("X:T -> Y:T", OQ_T_FLOATS3, OQ_T_FLOATS4),
                                         OQ_VERSION_UNARY(14, "X:T -> Y:T", OQ_T_FLOATS4 | OQ_T_INTS_SIGNED)};

OQ_ONNX_OP(Relu, versions);
