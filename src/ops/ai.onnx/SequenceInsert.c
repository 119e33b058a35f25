// SequenceInsert: a sequence with one more tensor, at a position or at the end.
#include "ops/lib/lists.h"
#include "ops/lib/sequence.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_list *list;
    const oq_tensor *tensor;
    int64_t position;
    OQ_TRY(oq_need_sequence(context, 0, &list, err));
    OQ_TRY(oq_need(context, 1, &tensor, err));
    OQ_TRY(oq_position_input(context, 2, (int64_t)list->count, true, (int64_t)list->count, &position, err));
    for (size_t k = 0; k < list->count; ++k)
        if (list->items[k].kind == OQ_VALUE_TENSOR && list->items[k].tensor.dtype != tensor->dtype)
            return oq_fail(err, ONNXQ_BAD_MODEL, "SequenceInsert of %s into a sequence of %s",
                           onnxq_dtype_name(tensor->dtype), onnxq_dtype_name(list->items[k].tensor.dtype));
    const oq_value **items = oq_scratch(context, (list->count + 1) * sizeof *items, err);
    if (!items) return ONNXQ_NO_MEMORY;
    for (size_t k = 0, from = 0; k <= list->count; ++k)
        items[k] = k == (size_t)position ? context->in[1] : &list->items[from++];
    return oq_out_sequence(context, 0, items, list->count + 1, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *in = context->in[0];
    oq_type elem = {.kind = OQ_TYPE_UNKNOWN};
    if (in && in->kind == OQ_TYPE_SEQUENCE && in->elem) elem = *in->elem;
    if (oq_infer_in(context, 1)) OQ_TRY(oq_infer_union(context, &elem, context->in[1], err));
    return oq_infer_set_container(context, 0, OQ_TYPE_SEQUENCE, &elem, err);
}

static const oq_op_version versions[] = {
    {.since = 11,
     .signature = "input_sequence:S, tensor:T, position?:I -> output_sequence:S",
     .types = OQ_TYPES({"S", OQ_T_SEQUENCE}, {"T", OQ_T_ALL1}, {"I", OQ_T_INDEX}),
     .infer = infer,
     .run = run},
};

OQ_ONNX_OP(SequenceInsert, versions);
