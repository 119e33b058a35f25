// Identity: the same value, whatever its kind.
#include "ops/lib/elementwise.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    if (x) return oq_out_view(context, 0, x, &x->shape, err);
    if (!context->input_count || !context->in[0])
        return oq_fail(err, ONNXQ_BAD_MODEL, "Identity needs an input");
    oq_out_take(context, 0, oq_value_retain(context->in[0]));
    return ONNXQ_OK;
}

static const oq_type_set types_1[] = {{"T", OQ_T_ALL1}, {0}};
static const oq_type_set types_13[] = {{"T", OQ_T_ALL13}, {0}};
static const oq_type_set types_14[] = {{"V", OQ_T_ALL13 | OQ_T_SEQUENCE}, {0}};
static const oq_type_set types_16[] = {{"V", OQ_T_ALL13 | OQ_T_OPTIONAL | OQ_T_SEQUENCE}, {0}};
static const oq_type_set types_19[] = {{"V", OQ_T_ALL19 | OQ_T_OPTIONAL | OQ_T_SEQUENCE}, {0}};
static const oq_type_set types_21[] = {{"V", OQ_T_ALL21 | OQ_T_OPTIONAL | OQ_T_SEQUENCE}, {0}};
static const oq_type_set types_23[] = {{"V", OQ_T_ALL23 | OQ_T_OPTIONAL | OQ_T_SEQUENCE}, {0}};
static const oq_type_set types_24[] = {{"V", OQ_T_ALL24 | OQ_T_OPTIONAL | OQ_T_SEQUENCE}, {0}};
static const oq_type_set types_25[] = {{"V", OQ_T_ALL25 | OQ_T_OPTIONAL | OQ_T_SEQUENCE}, {0}};

static const oq_op_version versions[] = {
    {.since = 1, .signature = "input:T -> output:T", .types = types_1, .infer = oq_infer_unary, .run = run},
    {.since = 13, .signature = "input:T -> output:T", .types = types_13, .infer = oq_infer_unary, .run = run},
    {.since = 14, .signature = "input:V -> output:V", .types = types_14, .infer = oq_infer_unary, .run = run},
    {.since = 16, .signature = "input:V -> output:V", .types = types_16, .infer = oq_infer_unary, .run = run},
    {.since = 19, .signature = "input:V -> output:V", .types = types_19, .infer = oq_infer_unary, .run = run},
    {.since = 21, .signature = "input:V -> output:V", .types = types_21, .infer = oq_infer_unary, .run = run},
    {.since = 23, .signature = "input:V -> output:V", .types = types_23, .infer = oq_infer_unary, .run = run},
    {.since = 24, .signature = "input:V -> output:V", .types = types_24, .infer = oq_infer_unary, .run = run},
    {.since = 25, .signature = "input:V -> output:V", .types = types_25, .infer = oq_infer_unary, .run = run},
};

OQ_ONNX_OP(Identity, versions);
