// SequenceAt: the tensor at a position of a sequence.
#include "ops/lib/sequence.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_list *list;
    int64_t position;
    OQ_TRY(oq_need_sequence(context, 0, &list, err));
    OQ_TRY(oq_position_input(context, 1, (int64_t)list->count, false, 0, &position, err));
    oq_out_take(context, 0, oq_value_retain(&list->items[position]));
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    (void)err;
    const oq_type *in = context->in[0];
    if (in && in->kind == OQ_TYPE_SEQUENCE && in->elem) oq_infer_set_type(context, 0, in->elem);
    return ONNXQ_OK;
}

static const oq_op_version versions[] = {
    {.since = 11,
     .signature = "input_sequence:S, position:I -> tensor:T",
     .types = OQ_TYPES({"S", OQ_T_SEQUENCE}, {"I", OQ_T_INDEX}, {"T", OQ_T_ALL1}),
     .infer = infer,
     .run = run},
};

OQ_ONNX_OP(SequenceAt, versions);
