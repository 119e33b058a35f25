// Ceil: the least integer that is not below x.
#include "ops/lib/elementwise.h"
#include "ops/lib/unary.h"

#include <math.h>

OQ_UNARY_LOOP(f32, float, ceilf(x))
OQ_UNARY_LOOP(f64, double, ceil(x))

static const oq_unary formula = OQ_UNARY_FLOATS;
OQ_UNARY_RUN(formula)

static const oq_op_version versions[] = {OQ_VERSIONS_UNARY("X:T -> Y:T", OQ_T_FLOATS3, OQ_T_FLOATS4)};

OQ_ONNX_OP(Ceil, versions);
