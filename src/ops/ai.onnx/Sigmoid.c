// Sigmoid: 1 / (1 + e^-x), without overflow on either side.
#include "kernels/rows.h"
#include "ops/lib/elementwise.h"
#include "ops/lib/unary.h"

#include <math.h>

OQ_UNARY_ROWS(f32, oq_rows_sigmoid)
OQ_UNARY_LOOP(f64, double, x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)))

static const oq_unary formula = OQ_UNARY_FLOATS;
OQ_UNARY_RUN(formula)

static const oq_op_version versions[] = {OQ_VERSIONS_UNARY("X:T -> Y:T", OQ_T_FLOATS3, OQ_T_FLOATS4)};

OQ_ONNX_OP(Sigmoid, versions);
