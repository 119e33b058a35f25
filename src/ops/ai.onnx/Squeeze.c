// Squeeze: axes of size 1 go, all of them or those named.
#include "ops/lib/upgrade.h"
#include "ops/lib/view.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data;
    const int64_t *axes;
    size_t count;
    OQ_TRY(oq_need(context, 0, &data, err));
    const bool all = !oq_in(context, 1) && !oq_node_attr(context->node, "axes");
    OQ_TRY(oq_list_input_or_attr(context, 1, "axes", &axes, &count, err));
    bool gone[OQ_MAX_RANK];
    OQ_TRY(oq_axes_flags("Squeeze", axes, count, data->shape.rank, gone, err));
    oq_shape shape = {0};
    for (int d = 0; d < data->shape.rank; ++d) {
        const int64_t size = data->shape.dim[d];
        if (gone[d] && size != 1)
            return oq_fail(err, ONNXQ_BAD_MODEL, "Squeeze of axis %d, whose size is %lld and not 1", d,
                           (long long)size);
        if (!gone[d] && !(all && size == 1)) shape.dim[shape.rank++] = size;
    }
    return oq_out_view(context, 0, data, &shape, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *in = oq_infer_in(context, 0);
    int64_t axes[OQ_INFER_MAX_DIMS];
    size_t count;
    const oq_list_state state = oq_infer_list(context, 1, "axes", axes, &count);
    oq_infer_set_dtype(context, 0, oq_infer_dtype(context, 0));
    if (!in || in->rank < 0) return ONNXQ_OK;
    if (state == OQ_LIST_UNKNOWN) {
        const int64_t length = oq_infer_length(context, 1);
        if (length >= 0 && length <= in->rank)
            oq_infer_set(context, 0, in->dtype, in->rank - (int)length, NULL);
        return ONNXQ_OK;
    }
    bool gone[OQ_MAX_RANK];
    OQ_TRY(oq_axes_flags("Squeeze", axes, count, in->rank, gone, err));
    oq_dim dims[OQ_MAX_RANK];
    int rank = 0;
    for (int d = 0; d < in->rank; ++d) {
        const oq_dim dim = in->dim[d];
        if (state == OQ_LIST_LEFT_OUT && !oq_dim_known(dim)) return ONNXQ_OK; // rank depends on the data
        if (gone[d] && oq_dim_known(dim) && dim.size != 1)
            return oq_fail(err, ONNXQ_BAD_MODEL, "Squeeze of axis %d, whose size is %lld and not 1", d,
                           (long long)dim.size);
        if (!gone[d] && !(state == OQ_LIST_LEFT_OUT && dim.size == 1)) dims[rank++] = dim;
    }
    oq_infer_set(context, 0, in->dtype, rank, dims);
    oq_infer_pass_elements(context);
    return ONNXQ_OK;
}

static oq_status upgrade_13(oq_upgrade_context *context, oq_error *err) {
    return oq_upgrade_ints(context, "axes", 1, err);
}

#define VERSION(SINCE, SET, UPGRADE)                                                                         \
    {                                                                                                        \
        .since = SINCE, .signature = "data:T, axes?:int64 -> squeezed:T", .types = OQ_TYPES({"T", SET}),     \
        .infer = infer, .run = run, .upgrade = UPGRADE                                                       \
    }
#define VERSION_ATTR(SINCE)                                                                                  \
    {                                                                                                        \
        .since = SINCE, .signature = "data:T -> squeezed:T", .types = OQ_TYPES({"T", OQ_T_ALL1}),            \
        .attrs = OQ_ATTRS({"axes", OQ_ATTR_INTS, false}), .infer = infer, .run = run                         \
    }

static const oq_op_version versions[] = {
    VERSION_ATTR(1),
    VERSION_ATTR(11),
    VERSION(13, OQ_T_ALL13, upgrade_13),
    VERSION(21, OQ_T_ALL21, NULL),
    VERSION(23, OQ_T_ALL23, NULL),
    VERSION(24, OQ_T_ALL24, NULL),
    VERSION(25, OQ_T_ALL25, NULL),
};

OQ_ONNX_OP(Squeeze, versions);
