// SequenceLength: how many tensors a sequence has.
#include "ops/lib/sequence.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_list *list;
    oq_tensor *out;
    const oq_shape scalar = {0};
    OQ_TRY(oq_need_sequence(context, 0, &list, err));
    OQ_TRY(oq_out(context, 0, ONNXQ_INT64, &scalar, &out, err));
    *(int64_t *)out->data = (int64_t)list->count;
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    (void)err;
    oq_infer_set(context, 0, ONNXQ_INT64, 0, NULL);
    return ONNXQ_OK;
}

static const oq_op_version versions[] = {
    {.since = 11,
     .signature = "input_sequence:S -> length:I",
     .types = OQ_TYPES({"S", OQ_T_SEQUENCE}, {"I", OQ_T(INT64)}),
     .infer = infer,
     .run = run},
};

OQ_ONNX_OP(SequenceLength, versions);
