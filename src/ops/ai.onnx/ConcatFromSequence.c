// ConcatFromSequence: the tensors of a sequence joined along an axis, or stacked along a new one.
#include "ops/lib/concat.h"
#include "ops/lib/schema.h"
#include "ops/lib/sequence.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_list *list;
    OQ_TRY(oq_need_sequence(context, 0, &list, err));
    if (!list->count) return oq_fail(err, ONNXQ_BAD_DATA, "ConcatFromSequence of an empty sequence");
    const oq_tensor **parts = oq_scratch(context, list->count * sizeof *parts, err);
    if (!parts) return ONNXQ_NO_MEMORY;
    for (size_t k = 0; k < list->count; ++k) {
        if (list->items[k].kind != OQ_VALUE_TENSOR)
            return oq_fail(err, ONNXQ_BAD_MODEL, "ConcatFromSequence of a sequence of other than tensors");
        parts[k] = &list->items[k].tensor;
    }
    const bool stack = oq_node_int(context->node, "new_axis", 0) != 0;
    int axis;
    OQ_TRY(oq_axis(context, oq_node_int(context->node, "axis", 0), parts[0]->shape.rank + stack, &axis, err));
    return stack ? oq_stack(context, 0, parts, list->count, axis, err)
                 : oq_concat(context, 0, parts, list->count, axis, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *in = context->in[0];
    if (!in || in->kind != OQ_TYPE_SEQUENCE || !in->elem || in->elem->kind != OQ_TYPE_TENSOR) return ONNXQ_OK;
    oq_type out = *in->elem;
    const int stack = oq_node_int(context->node, "new_axis", 0) != 0;
    int axis;
    if (out.rank >= 0 && out.rank + stack <= OQ_MAX_RANK) {
        OQ_TRY(oq_infer_axis(context, oq_node_int(context->node, "axis", 0), out.rank + stack, &axis, err));
        out.rank += stack;
        for (int d = out.rank - 1; stack && d > axis; --d) out.dim[d] = out.dim[d - 1];
        out.dim[axis] = OQ_DIM_ANONYMOUS;
    }
    oq_infer_set_type(context, 0, &out);
    return ONNXQ_OK;
}

static const oq_op_version versions[] = {
    {.since = 11,
     .signature = "input_sequence:S -> concat_result:T",
     .types = OQ_TYPES({"S", OQ_T_SEQUENCE}, {"T", OQ_T_ALL1}),
     .attrs = OQ_ATTRS({"axis", OQ_ATTR_INT, true}, {"new_axis", OQ_ATTR_INT, false}),
     .infer = infer,
     .run = run},
};

OQ_ONNX_OP(ConcatFromSequence, versions);
