// LayerNormalization over the axes from `axis` on.
#include "ops/lib/infer.h"
#include "ops/lib/norm.h"

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *x = oq_infer_in(context, 0);
    if (!x) return ONNXQ_OK;
    oq_infer_same(context, 0, 0);
    if (context->output_count < 2) return ONNXQ_OK;
    oq_type stash = *x;
    stash.dtype = (oq_dtype)oq_node_int(context->node, "stash_type", ONNXQ_FLOAT);
    if (x->rank >= 0) {
        int axis = 0;
        OQ_TRY(oq_infer_axis(context, oq_node_int(context->node, "axis", -1), x->rank, &axis, err));
        for (int i = axis; i < x->rank; i++) stash.dim[i] = oq_dim_of(1);
    }
    for (size_t i = 1; i < context->output_count; i++) oq_infer_set_type(context, i, &stash);
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_norm_run_axis(context, true, oq_in(context, 0)->dtype, err);
}

static const oq_type_set types[] = {{"T", OQ_T_FLOATS4}, {"U", OQ_T_FLOAT32 | OQ_T(BFLOAT16)}, {0}};
static const oq_attr_spec attrs[] = {
    {"axis", OQ_ATTR_INT, false}, {"epsilon", OQ_ATTR_FLOAT, false}, {"stash_type", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 17,
     .signature = "X:T, Scale:T, B?:T -> Y:T, Mean?:U, InvStdDev?:U",
     .types = types,
     .attrs = attrs,
     .infer = infer,
     .run = run},
};
OQ_ONNX_OP(LayerNormalization, versions);
