// SkipSimplifiedLayerNormalization: input + skip (+ bias) divided by its root mean square along the last
// axis.
#include "ops/lib/norm.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_norm_run_skip(context, false, SIZE_MAX, 3, err);
}

static const oq_type_set types[] = {
    {"T", OQ_T_FLOAT32 | OQ_T(FLOAT16) | OQ_T(BFLOAT16)}, {"U", OQ_T_FLOAT32}, {0}};
static const oq_attr_spec attrs[] = {{"epsilon", OQ_ATTR_FLOAT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature =
         "input:T, skip:T, gamma:T, bias?:T -> output:T, mean?:U, inv_std_var?:U, input_skip_bias_sum?:T",
     .types = types,
     .attrs = attrs,
     .infer = oq_norm_infer_skip,
     .run = run},
};
OQ_MICROSOFT_OP(SkipSimplifiedLayerNormalization, versions);
