// Exp: e^x.
#include "kernels/rows.h"
#include "ops/lib/elementwise.h"
#include "ops/lib/unary.h"

#include <math.h>

OQ_UNARY_ROWS(f32, oq_rows_exp)
OQ_UNARY_LOOP(f64, double, exp(x))

static const oq_unary formula = OQ_UNARY_FLOATS;
OQ_UNARY_RUN(formula)

static const oq_op_version versions[] = {
    OQ_VERSIONS_UNARY("input:T -> output:T", OQ_T_FLOATS3, OQ_T_FLOATS4)};

OQ_ONNX_OP(Exp, versions);
