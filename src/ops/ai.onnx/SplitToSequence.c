// SplitToSequence: a tensor cut along an axis into a sequence of parts.
#include "ops/lib/lists.h"
#include "ops/lib/schema.h"
#include "ops/lib/sequence.h"

// Sizes of the parts: a list, one size for all (the last may be smaller), or single steps.
static oq_status part_sizes(oq_run_context *context, int64_t size, const int64_t **sizes, int64_t *each,
                            size_t *count, oq_error *err) {
    const oq_tensor *split = oq_in(context, 1);
    OQ_TRY(oq_list_input(context, 1, sizes, count, err));
    *each = 1;
    if (split && split->shape.rank == 1) {
        int64_t sum = 0;
        for (size_t k = 0; k < *count; ++k)
            if ((*sizes)[k] < 0 || !oq_add_i64(sum, (*sizes)[k], &sum)) sum = INT64_MAX;
        if (sum == size) return ONNXQ_OK;
        return oq_fail(err, ONNXQ_BAD_DATA, "split sizes of SplitToSequence do not add up to %lld",
                       (long long)size);
    }
    if (split) *each = (*sizes)[0];
    *sizes = NULL;
    if (*each < 1)
        return oq_fail(err, ONNXQ_BAD_DATA, "SplitToSequence into parts of %lld", (long long)*each);
    *count = (size_t)(size / *each + (size % *each != 0));
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data;
    const int64_t *sizes;
    int64_t each, from = 0;
    size_t count;
    int axis;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(oq_axis(context, oq_node_int(context->node, "axis", 0), data->shape.rank, &axis, err));
    const int64_t size = data->shape.dim[axis];
    OQ_TRY(part_sizes(context, size, &sizes, &each, &count, err));
    // keepdims counts only where single steps are taken.
    const bool squeeze = !oq_in(context, 1) && !oq_node_int(context->node, "keepdims", 1);
    oq_list *list = oq_list_new(context->mem, count, err);
    if (!list) return ONNXQ_NO_MEMORY;
    oq_value value = {.kind = OQ_VALUE_SEQUENCE, .list = list};
    for (size_t k = 0; k < count; ++k) {
        const int64_t part = sizes ? sizes[k] : each < size - from ? each : size - from;
        oq_tensor tensor;
        const oq_status status = oq_tensor_part(context->mem, data, axis, from, part, squeeze, &tensor, err);
        if (status != ONNXQ_OK) {
            oq_value_release(&value);
            return status;
        }
        list->items[k] = oq_value_of_tensor(tensor);
        from += part;
    }
    oq_out_take(context, 0, value);
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *in = oq_infer_in(context, 0);
    if (!in) return ONNXQ_OK;
    oq_type elem = *in;
    int axis;
    if (in->rank >= 0) {
        OQ_TRY(oq_infer_axis(context, oq_node_int(context->node, "axis", 0), in->rank, &axis, err));
        elem.dim[axis] = OQ_DIM_ANONYMOUS;
        int64_t each;
        const bool steps = !oq_infer_given(context, 1);
        if (steps && !oq_node_int(context->node, "keepdims", 1)) {
            for (int d = axis; d < elem.rank - 1; ++d) elem.dim[d] = elem.dim[d + 1];
            --elem.rank;
        } else if (steps) {
            elem.dim[axis] = oq_dim_of(1);
        } else if (oq_infer_rank(context, 1) == 0 && oq_infer_int(context, 1, &each) && each > 0 &&
                   oq_dim_known(in->dim[axis]) && in->dim[axis].size % each == 0) {
            elem.dim[axis] = oq_dim_of(each);
        }
    }
    return oq_infer_set_container(context, 0, OQ_TYPE_SEQUENCE, &elem, err);
}

#define VERSION(SINCE, SET)                                                                                  \
    {                                                                                                        \
        .since = SINCE, .signature = "input:T, split?:I -> output_sequence:S",                               \
        .types = OQ_TYPES({"T", SET}, {"I", OQ_T_INDEX}, {"S", OQ_T_SEQUENCE}),                              \
        .attrs = OQ_ATTRS({"axis", OQ_ATTR_INT, false}, {"keepdims", OQ_ATTR_INT, false}), .infer = infer,   \
        .run = run                                                                                           \
    }

static const oq_op_version versions[] = {VERSION(11, OQ_T_ALL1), VERSION(24, OQ_T_ALL13)};

OQ_ONNX_OP(SplitToSequence, versions);
