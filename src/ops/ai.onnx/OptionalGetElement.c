// OptionalGetElement: the value of an optional; a tensor or sequence (opset 18) is its own.
#include "ops/lib/sequence.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_value *value = context->input_count ? context->in[0] : NULL;
    if (value && value->kind == OQ_VALUE_OPTIONAL) value = value->list->count ? &value->list->items[0] : NULL;
    if (!value) return oq_fail(err, ONNXQ_BAD_DATA, "OptionalGetElement of an optional without a value");
    oq_out_take(context, 0, oq_value_retain(value));
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    (void)err;
    const oq_type *in = context->input_count ? context->in[0] : NULL;
    if (in && in->kind == OQ_TYPE_OPTIONAL) in = in->elem;
    if (in) oq_infer_set_type(context, 0, in);
    return ONNXQ_OK;
}

#define VERSION(SINCE, SET, MORE)                                                                            \
    {                                                                                                        \
        .since = SINCE, .signature = "input:O -> output:V",                                                  \
        .types = OQ_TYPES({"O", OQ_T_OPTIONAL | (MORE)}, {"V", (SET) | OQ_T_SEQUENCE}), .infer = infer,      \
        .run = run                                                                                           \
    }

static const oq_op_version versions[] = {
    VERSION(15, OQ_T_ALL1, 0),
    VERSION(18, OQ_T_ALL1, OQ_T_ALL1 | OQ_T_SEQUENCE),
    VERSION(28, OQ_T_ALL28, OQ_T_ALL28 | OQ_T_SEQUENCE),
};

OQ_ONNX_OP(OptionalGetElement, versions);
