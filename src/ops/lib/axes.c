// A set of axes of a shape, as reductions and their relatives read it from a node.
#include "ops/lib/axes.h"

oq_status oq_axis_of(const oq_run_context *context, int64_t axis, int rank, int *out, oq_error *err) {
    if (oq_axis_normalize(axis, rank, out)) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL, "%s: axis %lld is out of range for rank %d", context->node->op_type,
                   (long long)axis, rank);
}

oq_status oq_axes_read(const oq_run_context *context, int rank, bool marked[OQ_MAX_RANK], oq_error *err) {
    size_t count = 0;
    const int64_t *axes = oq_node_ints(context->node, "axes", &count);
    const oq_tensor *given = oq_in(context, 1);
    if (given) {
        if (given->dtype != ONNXQ_INT64 || given->shape.rank > 1)
            return oq_fail(err, ONNXQ_BAD_MODEL, "%s: the axes must be a list of int64",
                           context->node->op_type);
        axes = given->data;
        count = (size_t)oq_tensor_count(given);
    }
    const bool all = !count && !oq_node_int(context->node, "noop_with_empty_axes", 0);
    for (int i = 0; i < OQ_MAX_RANK; i++) marked[i] = all && i < rank;
    for (size_t i = 0; i < count; i++) {
        int axis = 0;
        OQ_TRY(oq_axis_of(context, axes[i], rank, &axis, err));
        marked[axis] = true;
    }
    return ONNXQ_OK;
}

oq_shape oq_axes_reduce(const oq_shape *shape, const bool marked[OQ_MAX_RANK], bool keepdims) {
    oq_shape out = {0};
    for (int axis = 0; axis < shape->rank; axis++) {
        if (!marked[axis])
            out.dim[out.rank++] = shape->dim[axis];
        else if (keepdims)
            out.dim[out.rank++] = 1;
    }
    return out;
}

oq_axis_view oq_axis_view_of(const oq_shape *shape, int axis) {
    return (oq_axis_view){.outer = (size_t)oq_shape_range_count(shape, 0, axis),
                          .axis = (size_t)shape->dim[axis],
                          .inner = (size_t)oq_shape_range_count(shape, axis + 1, shape->rank)};
}
