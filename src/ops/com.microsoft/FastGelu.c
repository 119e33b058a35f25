// FastGelu: Gelu of X, or of X + bias along the last axis, by the tanh approximation.
#include "ops/lib/elementwise.h"
#include "ops/lib/gelu.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    if (oq_in(context, 1)) return oq_binary_run(context, &oq_bias_gelu_tanh, err);
    return oq_unary_run(context, &oq_gelu_tanh, 0, 0, err);
}

static const oq_type_set types[] = {{"T", OQ_T_FLOATS4}, {0}};

static const oq_op_version versions[] = {
    {.since = 1, .signature = "X:T, bias?:T -> Y:T", .types = types, .infer = oq_infer_unary, .run = run},
};
OQ_MICROSOFT_OP(FastGelu, versions);
