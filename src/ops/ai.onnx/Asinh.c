// Asinh: the inverse of the hyperbolic sine.
#include "ops/lib/elementwise.h"
#include "ops/lib/unary.h"

#include <math.h>

OQ_UNARY_LOOP(f32, float, asinh((double)x))
OQ_UNARY_LOOP(f64, double, asinh(x))

static const oq_unary formula = OQ_UNARY_FLOATS;
OQ_UNARY_RUN(formula)

static const oq_type_set types_9[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {0}};

static const oq_op_version versions[] = {
    {.since = 9, .signature = "input:T -> output:T", .types = types_9, .infer = oq_infer_unary, .run = run},
    {.since = 22, .signature = "input:T -> output:T", .types = types_22, .infer = oq_infer_unary, .run = run},
};

OQ_ONNX_OP(Asinh, versions);
