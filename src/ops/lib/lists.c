// Lists of integers that operators take as attribute or as input.
#include "ops/lib/lists.h"

oq_status oq_list_of(oq_run_context *context, const oq_tensor *tensor, const int64_t **values, size_t *count,
                     oq_error *err) {
    const oq_dtype dtype = tensor->dtype;
    *count = (size_t)oq_tensor_count(tensor);
    *values = tensor->data;
    if (dtype == ONNXQ_INT64) return ONNXQ_OK;
    if (dtype != ONNXQ_INT32)
        return oq_fail(err, ONNXQ_BAD_MODEL, "%s takes integers of type int32 or int64 here, not %s",
                       context->node->op_type, onnxq_dtype_name(dtype));
    size_t bytes;
    if (!oq_mul_size(*count, sizeof **values, &bytes)) return oq_fail(err, ONNXQ_NO_MEMORY, "list too long");
    int64_t *wide = oq_scratch(context, bytes, err);
    if (!wide) return ONNXQ_NO_MEMORY;
    oq_load_i64(dtype, tensor->data, wide, *count);
    *values = wide;
    return ONNXQ_OK;
}

oq_status oq_list_input(oq_run_context *context, size_t i, const int64_t **values, size_t *count,
                        oq_error *err) {
    const oq_tensor *tensor = oq_in(context, i);
    *values = NULL;
    *count = 0;
    if (!tensor) return ONNXQ_OK;
    if (tensor->shape.rank > 1)
        return oq_fail(err, ONNXQ_BAD_MODEL, "input %zu of %s must be a list, but has rank %d", i,
                       context->node->op_type, tensor->shape.rank);
    return oq_list_of(context, tensor, values, count, err);
}

// A node has the one or the other: the schema check refuses the attribute where the version has the input.
oq_status oq_list_input_or_attr(oq_run_context *context, size_t i, const char *name, const int64_t **values,
                                size_t *count, oq_error *err) {
    if (oq_in(context, i)) return oq_list_input(context, i, values, count, err);
    *values = oq_node_ints(context->node, name, count);
    return ONNXQ_OK;
}

oq_status oq_int_input(oq_run_context *context, size_t i, int64_t otherwise, int64_t *value, oq_error *err) {
    const int64_t *values = NULL;
    size_t count;
    *value = otherwise;
    OQ_TRY(oq_list_input(context, i, &values, &count, err));
    if (!values) return ONNXQ_OK;
    if (count != 1)
        return oq_fail(err, ONNXQ_BAD_MODEL, "input %zu of %s must be one number, but has %zu", i,
                       context->node->op_type, count);
    *value = values[0];
    return ONNXQ_OK;
}

oq_list_state oq_infer_list(const oq_infer_context *context, size_t i, const char *name,
                            int64_t values[OQ_INFER_MAX_DIMS], size_t *count) {
    *count = 0;
    if (oq_infer_given(context, i))
        return oq_infer_ints(context, i, values, OQ_INFER_MAX_DIMS, count) ? OQ_LIST_KNOWN : OQ_LIST_UNKNOWN;
    if (!name || !oq_node_attr(context->node, name)) return OQ_LIST_LEFT_OUT;
    const int64_t *ints = oq_node_ints(context->node, name, count);
    if (*count > OQ_INFER_MAX_DIMS) return OQ_LIST_UNKNOWN;
    for (size_t k = 0; k < *count; ++k) values[k] = ints[k];
    return OQ_LIST_KNOWN;
}

oq_status oq_axes_list(const char *op_type, const int64_t *axes, size_t count, int rank, int out[OQ_MAX_RANK],
                       oq_error *err) {
    bool seen[OQ_MAX_RANK] = {false};
    for (size_t k = 0; k < count; ++k) {
        int axis;
        if (!oq_axis_normalize(axes[k], rank, &axis))
            return oq_fail(err, ONNXQ_BAD_MODEL, "axis %lld of %s is out of range for rank %d",
                           (long long)axes[k], op_type, rank);
        if (seen[axis])
            return oq_fail(err, ONNXQ_BAD_MODEL, "axis %lld of %s is named twice", (long long)axes[k],
                           op_type);
        seen[axis] = true;
        out[k] = axis; // distinct axes: k stays below the rank
    }
    return ONNXQ_OK;
}

oq_status oq_axes_flags(const char *op_type, const int64_t *axes, size_t count, int rank,
                        bool flags[OQ_MAX_RANK], oq_error *err) {
    int list[OQ_MAX_RANK];
    for (int d = 0; d < OQ_MAX_RANK; ++d) flags[d] = false;
    OQ_TRY(oq_axes_list(op_type, axes, count, rank, list, err));
    for (size_t k = 0; k < count; ++k) flags[list[k]] = true;
    return ONNXQ_OK;
}

oq_status oq_axis(const oq_run_context *context, int64_t axis, int rank, int *out, oq_error *err) {
    if (oq_axis_normalize(axis, rank, out)) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL, "axis %lld of %s is out of range for rank %d", (long long)axis,
                   context->node->op_type, rank);
}
