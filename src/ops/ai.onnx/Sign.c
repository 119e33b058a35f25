// Sign: -1, 0 or 1; NaN stays NaN.
#include "ops/lib/elementwise.h"
#include "ops/lib/unary.h"

OQ_UNARY_LOOP(f32, float, x != x ? x : (float)((x > 0) - (x < 0)))
OQ_UNARY_LOOP(f64, double, x != x ? x : (double)((x > 0) - (x < 0)))
OQ_UNARY_LOOP(i64, int64_t, (x > 0) - (x < 0))
OQ_UNARY_LOOP(u64, uint64_t, x > 0)

static const oq_unary formula = {
    .loop = {[OQ_WORK_F32] = f32, [OQ_WORK_F64] = f64, [OQ_WORK_I64] = i64, [OQ_WORK_U64] = u64}};
OQ_UNARY_RUN(formula)

static const oq_op_version versions[] = {OQ_VERSION_UNARY(9, "input:T -> output:T", OQ_T_NUMERIC3),
                                         OQ_VERSION_UNARY(13, "input:T -> output:T", OQ_T_NUMERIC4)};

OQ_ONNX_OP(Sign, versions);
