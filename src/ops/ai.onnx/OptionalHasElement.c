// OptionalHasElement: whether an optional has a value; a tensor or sequence (opset 18) is one, nothing is
// none.
#include "ops/lib/sequence.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_value *value = context->input_count ? context->in[0] : NULL;
    const oq_shape scalar = {0};
    oq_tensor *out;
    OQ_TRY(oq_out(context, 0, ONNXQ_BOOL, &scalar, &out, err));
    *(uint8_t *)out->data = value && (value->kind != OQ_VALUE_OPTIONAL || value->list->count > 0);
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    (void)err;
    oq_infer_set(context, 0, ONNXQ_BOOL, 0, NULL);
    return ONNXQ_OK;
}

#define VERSION(SINCE, SIGNATURE, MORE)                                                                      \
    {                                                                                                        \
        .since = SINCE, .signature = SIGNATURE,                                                              \
        .types = OQ_TYPES({"O", OQ_T_OPTIONAL | (MORE)}, {"B", OQ_T(BOOL)}), .infer = infer, .run = run      \
    }

static const oq_op_version versions[] = {
    VERSION(15, "input:O -> output:B", 0),
    VERSION(18, "input?:O -> output:B", OQ_T_ALL1 | OQ_T_SEQUENCE),
    VERSION(28, "input?:O -> output:B", OQ_T_ALL28 | OQ_T_SEQUENCE),
};

OQ_ONNX_OP(OptionalHasElement, versions);
