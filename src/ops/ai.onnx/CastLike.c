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

static const oq_type_set types_15[] = {{"T1", OQ_T_NUMERIC4 | OQ_T(BOOL) | OQ_T(STRING)},
                                       {"T2", OQ_T_NUMERIC4 | OQ_T(BOOL) | OQ_T(STRING)},
                                       {0}};
static const oq_type_set types_19[] = {{"T1", OQ_T_NUMERIC4 | OQ_T_FLOAT8 | OQ_T(BOOL) | OQ_T(STRING)},
                                       {"T2", OQ_T_NUMERIC4 | OQ_T_FLOAT8 | OQ_T(BOOL) | OQ_T(STRING)},
                                       {0}};
static const oq_type_set types_21[] = {{"T1", OQ_T_ALL21 & ~(OQ_T(COMPLEX128) | OQ_T(COMPLEX64))},
                                       {"T2", OQ_T_ALL21 & ~(OQ_T(COMPLEX128) | OQ_T(COMPLEX64))},
                                       {0}};
static const oq_type_set types_23[] = {{"T1", OQ_T_ALL23 & ~(OQ_T(COMPLEX128) | OQ_T(COMPLEX64))},
                                       {"T2", OQ_T_ALL23 & ~(OQ_T(COMPLEX128) | OQ_T(COMPLEX64))},
                                       {0}};
static const oq_type_set types_24[] = {{"T1", OQ_T_ALL24 & ~(OQ_T(COMPLEX128) | OQ_T(COMPLEX64))},
                                       {"T2", OQ_T_ALL24 & ~(OQ_T(COMPLEX128) | OQ_T(COMPLEX64))},
                                       {0}};
static const oq_type_set types_25[] = {{"T1", OQ_T_ALL25 & ~(OQ_T(COMPLEX128) | OQ_T(COMPLEX64))},
                                       {"T2", OQ_T_ALL25 & ~(OQ_T(COMPLEX128) | OQ_T(COMPLEX64))},
                                       {0}};
static const oq_attr_spec attrs_19[] = {{"saturate", OQ_ATTR_INT, false}, {0}};
static const oq_attr_spec attrs_24[] = {
    {"round_mode", OQ_ATTR_STRING, false}, {"saturate", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 15,
     .signature = "input:T1, target_type:T2 -> output:T2",
     .types = types_15,
     .infer = infer,
     .run = run},
    {.since = 19,
     .signature = "input:T1, target_type:T2 -> output:T2",
     .types = types_19,
     .attrs = attrs_19,
     .infer = infer,
     .run = run},
    {.since = 21,
     .signature = "input:T1, target_type:T2 -> output:T2",
     .types = types_21,
     .attrs = attrs_19,
     .infer = infer,
     .run = run},
    {.since = 23,
     .signature = "input:T1, target_type:T2 -> output:T2",
     .types = types_23,
     .attrs = attrs_19,
     .infer = infer,
     .run = run},
    {.since = 24,
     .signature = "input:T1, target_type:T2 -> output:T2",
     .types = types_24,
     .attrs = attrs_24,
     .infer = infer,
     .run = run},
    {.since = 25,
     .signature = "input:T1, target_type:T2 -> output:T2",
     .types = types_25,
     .attrs = attrs_24,
     .infer = infer,
     .run = run},
};

OQ_ONNX_OP(CastLike, versions);
