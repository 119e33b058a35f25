// Flatten: to a matrix, axes before `axis` to rows, the others to columns.
#include "ops/lib/view.h"

// The axis that begins the columns: 0..rank; negative ones count from the end from opset 11 on.
static oq_status columns_from(const oq_node *node, int64_t opset, int rank, int *out, oq_error *err) {
    int64_t axis = oq_node_int(node, "axis", 1);
    if (axis < 0 && opset >= 11) axis += rank;
    if (axis < 0 || axis > rank)
        return oq_fail(err, ONNXQ_BAD_MODEL, "axis %lld of Flatten is out of range for rank %d",
                       (long long)axis, rank);
    *out = (int)axis;
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data;
    int axis;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(columns_from(context->node, context->opset, data->shape.rank, &axis, err));
    const oq_shape shape = OQ_SHAPE(oq_shape_range_count(&data->shape, 0, axis),
                                    oq_shape_range_count(&data->shape, axis, data->shape.rank));
    return oq_out_view(context, 0, data, &shape, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *in = oq_infer_in(context, 0);
    int axis;
    if (!in || in->rank < 0) {
        oq_infer_set(context, 0, oq_infer_dtype(context, 0), 2, NULL);
        return ONNXQ_OK;
    }
    OQ_TRY(columns_from(context->node, context->opset, in->rank, &axis, err));
    const oq_dim dims[2] = {oq_dims_product(in->dim, (size_t)axis),
                            oq_dims_product(in->dim + axis, (size_t)(in->rank - axis))};
    oq_infer_set(context, 0, in->dtype, 2, dims);
    return ONNXQ_OK;
}

#define VERSION(SINCE, SET)                                                                                  \
    {                                                                                                        \
        .since = SINCE, .signature = "input:T -> output:T", .types = OQ_TYPES({"T", SET}),                   \
        .attrs = OQ_ATTRS({"axis", OQ_ATTR_INT, false}), .infer = infer, .run = run                          \
    }

static const oq_op_version versions[] = {
    VERSION(1, OQ_T_FLOATS3), VERSION(9, OQ_T_ALL1),   VERSION(11, OQ_T_ALL1),  VERSION(13, OQ_T_ALL13),
    VERSION(21, OQ_T_ALL21),  VERSION(23, OQ_T_ALL23), VERSION(24, OQ_T_ALL24), VERSION(25, OQ_T_ALL25),
};

OQ_ONNX_OP(Flatten, versions);
