// Erf: the error function; integers get it rounded towards zero.
#include "kernels/rows.h"
#include "ops/lib/elementwise.h"
#include "ops/lib/unary.h"

#include <math.h>

OQ_UNARY_ROWS(f32, oq_rows_erf)
OQ_UNARY_LOOP(f64, double, erf(x))
OQ_UNARY_LOOP(i64, int64_t, (int64_t)erf((double)x))
OQ_UNARY_LOOP(u64, uint64_t, (uint64_t)erf((double)x))

static const oq_unary formula = {
    .loop = {[OQ_WORK_F32] = f32, [OQ_WORK_F64] = f64, [OQ_WORK_I64] = i64, [OQ_WORK_U64] = u64}};
OQ_UNARY_RUN(formula)

static const oq_op_version versions[] = {OQ_VERSION_UNARY(9, "input:T -> output:T", OQ_T_NUMERIC3),
                                         OQ_VERSION_UNARY(13, "input:T -> output:T", OQ_T_FLOATS4)};

OQ_ONNX_OP(Erf, versions);
