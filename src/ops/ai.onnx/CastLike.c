// CastLike: elements converted to the type of another tensor.
#include "ops/lib/convert.h"
#include "ops/lib/elementwise.h"

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_dtype dtype = oq_infer_dtype(context, 1);
    OQ_TRY(oq_infer_unary(context, err));
    if (!context->output_count) return ONNXQ_OK;
    if (context->out[0].kind != OQ_TYPE_TENSOR) oq_infer_set_dtype(context, 0, dtype);
    context->out[0].dtype = dtype;
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *like;
    oq_convert_options options;
    OQ_TRY(oq_need(context, 1, &like, err));
    OQ_TRY(oq_convert_options_of(context->node, &options, err));
    return oq_convert_run(context, like->dtype, &options, err);
}

#define VERSION(SINCE, SET, ...)                                                                             \
    {                                                                                                        \
        .since = SINCE, .signature = "input:T1, target_type:T2 -> output:T2",                                \
        .types = OQ_TYPES({"T1", SET}, {"T2", SET}), .infer = infer, .run = run, __VA_ARGS__                 \
    }

static const oq_op_version versions[] = {
    VERSION(15, OQ_CAST_TYPES_13, .attrs = NULL),
    VERSION(19, OQ_CAST_TYPES_13 | OQ_T_FLOAT8, .attrs = OQ_ATTRS(OQ_CAST_ATTRS_19)),
    VERSION(21, OQ_T_ALL21 & ~OQ_T_COMPLEX, .attrs = OQ_ATTRS(OQ_CAST_ATTRS_19)),
    VERSION(23, OQ_T_ALL23 & ~OQ_T_COMPLEX, .attrs = OQ_ATTRS(OQ_CAST_ATTRS_19)),
    VERSION(24, OQ_T_ALL24 & ~OQ_T_COMPLEX, .attrs = OQ_ATTRS(OQ_CAST_ATTRS_24)),
    VERSION(25, OQ_T_ALL25 & ~OQ_T_COMPLEX, .attrs = OQ_ATTRS(OQ_CAST_ATTRS_24)),
};

OQ_ONNX_OP(CastLike, versions);
