// Round: the nearest integer, ties to even.
#include "ops/lib/elementwise.h"
#include "ops/lib/unary.h"

#include <math.h>

OQ_UNARY_LOOP(f32, float, rintf(x))
OQ_UNARY_LOOP(f64, double, rint(x))

static const oq_unary formula = OQ_UNARY_FLOATS;
OQ_UNARY_RUN(formula)

static const oq_op_version versions[] = {OQ_VERSION_UNARY(11, "X:T -> Y:T", OQ_T_FLOATS3),
                                         OQ_VERSION_UNARY(22, "X:T -> Y:T", OQ_T_FLOATS4)};

OQ_ONNX_OP(Round, versions);
