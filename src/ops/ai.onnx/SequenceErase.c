// SequenceErase: a sequence without the tensor at a position, by default the last.
#include "ops/lib/sequence.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_list *list;
    int64_t position;
    OQ_TRY(oq_need_sequence(context, 0, &list, err));
    OQ_TRY(oq_position_input(context, 1, (int64_t)list->count, false, -1, &position, err));
    const oq_value **items = oq_scratch(context, (list->count + 1) * sizeof *items, err);
    if (!items) return ONNXQ_NO_MEMORY;
    size_t count = 0;
    for (size_t k = 0; k < list->count; ++k)
        if (k != (size_t)position) items[count++] = &list->items[k];
    return oq_out_sequence(context, 0, items, count, err);
}

static const oq_op_version versions[] = {
    {.since = 11,
     .signature = "input_sequence:S, position?:I -> output_sequence:S",
     .types = OQ_TYPES({"S", OQ_T_SEQUENCE}, {"I", OQ_T_INDEX}),
     .infer = oq_infer_unary,
     .run = run},
};

OQ_ONNX_OP(SequenceErase, versions);
