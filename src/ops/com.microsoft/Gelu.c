// Gelu: x * Phi(x) with the normal distribution function.
#include "ops/lib/gelu.h"
#include "ops/lib/elementwise.h"

OQ_UNARY_RUN(oq_gelu_erf)

static const oq_type_set types[] = {{"T", OQ_T_FLOATS4}, {0}};

static const oq_op_version versions[] = {
    {.since = 1, .signature = "X:T -> Y:T", .types = types, .infer = oq_infer_unary, .run = run},
};
OQ_MICROSOFT_OP(Gelu, versions);
