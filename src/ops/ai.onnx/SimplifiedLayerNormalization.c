// SimplifiedLayerNormalization: rows divided by their root mean square, then scaled. ONNX Runtime's own, from
// before RMSNormalization; it writes it under the domain of ONNX.
#include "ops/lib/infer.h"
#include "ops/lib/norm.h"

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *x = oq_infer_in(context, 0);
    oq_type stash;
    if (!x) return ONNXQ_OK;
    oq_infer_set(context, 0, oq_infer_dtype(context, 1), x->rank, x->dim);
    OQ_TRY(oq_norm_stash_type(context, &stash, err));
    if (context->output_count > 1) oq_infer_set_type(context, 1, &stash);
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_norm_run_axis(context, false, oq_in(context, 1)->dtype, err);
}

static const oq_type_set types[] = {
    {"T", OQ_T_FLOATS4}, {"U", OQ_T_FLOAT32 | OQ_T(DOUBLE)}, {"V", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs[] = {
    {"axis", OQ_ATTR_INT, false}, {"epsilon", OQ_ATTR_FLOAT, false}, {"stash_type", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "X:T, scale:V -> Y:V, inv_std_var?:U",
     .types = types,
     .attrs = attrs,
     .infer = infer,
     .run = run},
};
OQ_ONNX_OP(SimplifiedLayerNormalization, versions);
