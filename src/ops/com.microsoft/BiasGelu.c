// BiasGelu: Gelu of A + B, B along the last axis.
#include "ops/lib/elementwise.h"
#include "ops/lib/gelu.h"

OQ_BINARY_RUN(oq_bias_gelu_erf)

static const oq_type_set types[] = {{"T", OQ_T_FLOATS4}, {0}};

static const oq_op_version versions[] = {
    {.since = 1, .signature = "A:T, B:T -> C:T", .types = types, .infer = oq_infer_binary, .run = run},
};
OQ_MICROSOFT_OP(BiasGelu, versions);
