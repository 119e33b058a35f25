// Sinh: the hyperbolic sine.
#include "ops/lib/elementwise.h"
#include "ops/lib/unary.h"

#include <math.h>

OQ_UNARY_LOOP(f32, float, sinh((double)x))
OQ_UNARY_LOOP(f64, double, sinh(x))

static const oq_unary formula = OQ_UNARY_FLOATS;
OQ_UNARY_RUN(formula)

static const oq_op_version versions[] = {OQ_VERSION_UNARY(9, "input:T -> output:T", OQ_T_FLOATS3),
                                         OQ_VERSION_UNARY(22, "input:T -> output:T", OQ_T_FLOATS4)};

OQ_ONNX_OP(Sinh, versions);
