// Unsqueeze: new axes of size 1 at the named places of the output.
#include "ops/lib/upgrade.h"
#include "ops/lib/view.h"

static oq_status new_rank(int rank, size_t count, int *out, oq_error *err) {
    if (count > (size_t)(OQ_MAX_RANK - rank))
        return oq_fail(err, ONNXQ_UNSUPPORTED,
                       "Unsqueeze of rank %d by %zu axes, at most rank %d is supported", rank, count,
                       OQ_MAX_RANK);
    *out = rank + (int)count;
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data;
    const int64_t *axes;
    size_t count;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(oq_list_input_or_attr(context, 1, "axes", &axes, &count, err));
    oq_shape shape;
    bool is_new[OQ_MAX_RANK];
    OQ_TRY(new_rank(data->shape.rank, count, &shape.rank, err));
    OQ_TRY(oq_axes_flags("Unsqueeze", axes, count, shape.rank, is_new, err));
    for (int d = 0, from = 0; d < shape.rank; ++d) shape.dim[d] = is_new[d] ? 1 : data->shape.dim[from++];
    return oq_out_view(context, 0, data, &shape, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *in = oq_infer_in(context, 0);
    int64_t axes[OQ_INFER_MAX_DIMS];
    size_t count;
    oq_infer_set_dtype(context, 0, oq_infer_dtype(context, 0));
    if (!in || in->rank < 0) return ONNXQ_OK;
    if (oq_infer_list(context, 1, "axes", axes, &count) != OQ_LIST_KNOWN) {
        const int64_t length = oq_infer_length(context, 1);
        if (length >= 0 && length <= OQ_MAX_RANK - in->rank)
            oq_infer_set(context, 0, in->dtype, in->rank + (int)length, NULL);
        return ONNXQ_OK;
    }
    int rank = 0;
    bool is_new[OQ_MAX_RANK];
    oq_dim dims[OQ_MAX_RANK];
    OQ_TRY(new_rank(in->rank, count, &rank, err));
    OQ_TRY(oq_axes_flags("Unsqueeze", axes, count, rank, is_new, err));
    for (int d = 0, from = 0; d < rank; ++d) dims[d] = is_new[d] ? oq_dim_of(1) : in->dim[from++];
    oq_infer_set(context, 0, in->dtype, rank, dims);
    oq_infer_pass_elements(context);
    return ONNXQ_OK;
}

static oq_status upgrade_13(oq_upgrade_context *context, oq_error *err) {
    return oq_upgrade_ints(context, "axes", 1, err);
}

#define VERSION(SINCE, SET, UPGRADE)                                                                         \
    {                                                                                                        \
        .since = SINCE, .signature = "data:T, axes:int64 -> expanded:T", .types = OQ_TYPES({"T", SET}),      \
        .infer = infer, .run = run, .upgrade = UPGRADE                                                       \
    }
#define VERSION_ATTR(SINCE)                                                                                  \
    {                                                                                                        \
        .since = SINCE, .signature = "data:T -> expanded:T", .types = OQ_TYPES({"T", OQ_T_ALL1}),            \
        .attrs = OQ_ATTRS({"axes", OQ_ATTR_INTS, true}), .infer = infer, .run = run                          \
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

OQ_ONNX_OP(Unsqueeze, versions);
