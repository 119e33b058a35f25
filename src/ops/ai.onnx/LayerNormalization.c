// LayerNormalization over the axes from `axis` on.
#include "ops/lib/infer.h"
#include "ops/lib/norm.h"

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *x = oq_infer_in(context, 0);
    oq_type stash;
    if (!x) return ONNXQ_OK;
    oq_infer_set(context, 0, oq_infer_dtype(context, 1), x->rank, x->dim);
    OQ_TRY(oq_norm_stash_type(context, &stash, err));
    for (size_t i = 1; i < context->output_count; i++) oq_infer_set_type(context, i, &stash);
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_norm_run_axis(context, true, oq_in(context, 1)->dtype, err);
}

static const oq_type_set types_1[] = {
    {"T", OQ_T_FLOATS4}, {"U", OQ_T_FLOAT32 | OQ_T(DOUBLE)}, {"V", OQ_T_FLOATS4}, {0}};
static const oq_type_set types_17[] = {{"T", OQ_T_FLOATS4}, {"U", OQ_T_FLOAT32 | OQ_T(BFLOAT16)}, {0}};
static const oq_attr_spec attrs[] = {
    {"axis", OQ_ATTR_INT, false}, {"epsilon", OQ_ATTR_FLOAT, false}, {"stash_type", OQ_ATTR_INT, false}, {0}};

// Version 1 is ONNX Runtime's: it writes it into optimized models of opsets before 17.
static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "X:T, Scale:V, B?:V -> Y:V, Mean?:U, InvStdDev?:U",
     .types = types_1,
     .attrs = attrs,
     .infer = infer,
     .run = run},
    {.since = 17,
     .signature = "X:T, Scale:T, B?:T -> Y:T, Mean?:U, InvStdDev?:U",
     .types = types_17,
     .attrs = attrs,
     .infer = infer,
     .run = run},
};
OQ_ONNX_OP(LayerNormalization, versions);
