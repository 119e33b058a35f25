// OneHot: each index becomes a line of `off` values with one `on` value.
#include "ops/lib/gather.h"
#include "ops/lib/mover.h"
#include "ops/lib/schema.h"

#include <string.h>

static oq_status read_depth(const oq_tensor *tensor, int64_t *depth, oq_error *err) {
    const double value = oq_tensor_count(tensor) == 1 ? oq_tensor_get_f64(tensor, 0) : -1;
    if (!(value >= 0 && value < 0x1p53))
        return oq_fail(err, ONNXQ_BAD_MODEL, "depth of OneHot must be one number that is not negative");
    *depth = (int64_t)value;
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *indices, *depth_tensor, *values;
    int64_t depth;
    int axis;
    OQ_TRY(oq_need(context, 0, &indices, err));
    OQ_TRY(oq_need(context, 1, &depth_tensor, err));
    OQ_TRY(oq_need(context, 2, &values, err));
    OQ_TRY(read_depth(depth_tensor, &depth, err));
    if (oq_tensor_count(values) != 2)
        return oq_fail(err, ONNXQ_BAD_MODEL, "OneHot needs two values, off and on");
    oq_shape shape = {.rank = indices->shape.rank + 1};
    OQ_TRY(oq_check_rank(context, shape.rank, err));
    OQ_TRY(oq_axis(context, oq_node_int(context->node, "axis", -1), shape.rank, &axis, err));
    for (int d = 0; d < shape.rank; ++d)
        shape.dim[d] = d < axis ? indices->shape.dim[d] : d == axis ? depth : indices->shape.dim[d - 1];
    oq_mover m;
    OQ_TRY(oq_mover_open(&m, context, 0, &shape, &values, 1, err));
    oq_move_fill(m.to, m.element, (size_t)oq_shape_count(&shape), m.from[0]);
    const unsigned char *on = m.from[0] + m.element;
    const int64_t inner = oq_shape_range_count(&shape, axis + 1, shape.rank),
                  count = oq_tensor_count(indices);
    for (int64_t k = 0; k < count; ++k) {
        int64_t hot; // an index outside leaves the line without `on`
        if (!oq_index(oq_tensor_get_i64(indices, k), depth, &hot)) continue;
        const int64_t at = (k / inner * depth + hot) * inner + k % inner;
        memcpy(m.to + (size_t)at * m.element, on, m.element);
    }
    return oq_mover_close(&m, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *in = oq_infer_in(context, 0);
    const oq_dtype dtype = oq_infer_dtype(context, 2);
    oq_infer_set_dtype(context, 0, dtype);
    if (!in || in->rank < 0 || in->rank >= OQ_MAX_RANK) return ONNXQ_OK;
    int axis;
    oq_dim dims[OQ_MAX_RANK], depth = OQ_DIM_ANONYMOUS;
    size_t count;
    const oq_dim *elements = oq_infer_elements(context, 1, &count);
    const oq_tensor *constant = context->in_const[1];
    OQ_TRY(oq_infer_axis(context, oq_node_int(context->node, "axis", -1), in->rank + 1, &axis, err));
    if (elements && count == 1)
        depth = oq_dim_as_size(elements[0]);
    else if (constant)
        OQ_TRY(read_depth(constant, &depth.size, err));
    for (int d = 0; d <= in->rank; ++d) dims[d] = d < axis ? in->dim[d] : d == axis ? depth : in->dim[d - 1];
    oq_infer_set(context, 0, dtype, in->rank + 1, dims);
    return ONNXQ_OK;
}

#define VERSION(SINCE, SET)                                                                                  \
    {                                                                                                        \
        .since = SINCE, .signature = "indices:T1, depth:T2, values:T3 -> output:T3",                         \
        .types = OQ_TYPES({"T1", OQ_T_NUMERIC3}, {"T2", OQ_T_NUMERIC3}, {"T3", SET}),                        \
        .attrs = OQ_ATTRS({"axis", OQ_ATTR_INT, false}), .infer = infer, .run = run                          \
    }

static const oq_op_version versions[] = {VERSION(9, OQ_T_ALL1), VERSION(11, OQ_T_ALL1),
                                         VERSION(28, OQ_T_ALL13)};

OQ_ONNX_OP(OneHot, versions);
