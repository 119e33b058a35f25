// Neg: -x; the least signed integer stays itself.
#include "ops/lib/elementwise.h"
#include "ops/lib/unary.h"

OQ_UNARY_LOOP(f32, float, -x)
OQ_UNARY_LOOP(f64, double, -x)
OQ_UNARY_LOOP(i64, int64_t, (int64_t)(0 - (uint64_t)x))

static const oq_unary formula = {.loop = {[OQ_WORK_F32] = f32, [OQ_WORK_F64] = f64, [OQ_WORK_I64] = i64}};
OQ_UNARY_RUN(formula)

static const oq_op_version versions[] = {
    OQ_VERSIONS_UNARY("X:T -> Y:T", OQ_T_FLOATS3 | OQ_T_INTS_SIGNED, OQ_T_FLOATS4 | OQ_T_INTS_SIGNED)};

OQ_ONNX_OP(Neg, versions);
