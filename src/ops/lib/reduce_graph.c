// Shape inference and upgrade of reductions.
#include "ops/lib/reduce.h"

// The axes of the node where they are known before running; false when they are computed.
static bool known_axes(const oq_infer_context *context, int64_t axes[OQ_MAX_RANK], size_t *count) {
    if (oq_infer_given(context, 1)) return oq_infer_ints(context, 1, axes, OQ_MAX_RANK, count);
    const int64_t *given = oq_node_ints(context->node, "axes", count);
    if (*count > OQ_MAX_RANK) return false;
    for (size_t i = 0; i < *count; i++) axes[i] = given[i];
    return true;
}

oq_status oq_infer_reduce(oq_infer_context *context, oq_error *err) {
    int64_t axes[OQ_MAX_RANK];
    size_t count = 0;
    bool marked[OQ_MAX_RANK] = {false};
    const bool keepdims = oq_node_int(context->node, "keepdims", 1) != 0;
    const int rank = oq_infer_rank(context, 0);
    const bool known = known_axes(context, axes, &count);
    if (rank < 0 || (!known && !keepdims)) {
        oq_infer_set_dtype(context, 0, oq_infer_dtype(context, 0));
        return ONNXQ_OK;
    }
    const bool all = known && !count && !oq_node_int(context->node, "noop_with_empty_axes", 0);
    for (size_t i = 0; known && i < count; i++) {
        int axis = 0;
        OQ_TRY(oq_infer_axis(context, axes[i], rank, &axis, err));
        marked[axis] = true;
    }
    oq_dim dims[OQ_MAX_RANK];
    int out_rank = 0;
    for (int axis = 0; axis < rank; axis++) {
        if (!known)
            dims[out_rank++] = OQ_DIM_ANONYMOUS;
        else if (!all && !marked[axis])
            dims[out_rank++] = oq_infer_dim(context, 0, axis);
        else if (keepdims)
            dims[out_rank++] = oq_dim_of(1);
    }
    oq_infer_set(context, 0, oq_infer_dtype(context, 0), out_rank, dims);
    return ONNXQ_OK;
}

oq_status oq_upgrade_reduce(oq_upgrade_context *context, oq_error *err) {
    size_t count = 0;
    const int64_t *axes = oq_node_ints(context->node, "axes", &count);
    if (count) OQ_TRY(oq_upgrade_ints_input(context, 1, "axes", axes, count, err));
    oq_node_remove_attr(context->node, "axes");
    oq_graph_touch_node(context->graph, context->node);
    return ONNXQ_OK;
}
