// Compress: the slices along an axis (or the elements) whose condition is true.
#include "ops/lib/lists.h"
#include "ops/lib/mover.h"
#include "ops/lib/pick.h"
#include "ops/lib/schema.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data, *condition;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(oq_need(context, 1, &condition, err));
    const oq_attr *attr = oq_node_attr(context->node, "axis");
    oq_shape shape = attr ? data->shape : OQ_SHAPE(oq_tensor_count(data));
    int axis = 0;
    if (attr) OQ_TRY(oq_axis(context, attr->i, shape.rank, &axis, err));
    if (condition->dtype != ONNXQ_BOOL || condition->shape.rank != 1 ||
        condition->shape.dim[0] > shape.dim[axis])
        return oq_fail(err, ONNXQ_BAD_MODEL, "condition of Compress must be a list of at most %lld booleans",
                       (long long)shape.dim[axis]);
    const int64_t size = shape.dim[axis], given = condition->shape.dim[0];
    const int64_t inner = oq_shape_range_count(&shape, axis + 1, shape.rank);
    const int64_t outer = oq_shape_range_count(&shape, 0, axis);
    int64_t *offsets = oq_scratch(context, ((size_t)given + 1) * sizeof *offsets, err);
    if (!offsets) return ONNXQ_NO_MEMORY;
    size_t kept = 0;
    for (int64_t k = 0; k < given; ++k)
        if (((const uint8_t *)condition->data)[k]) offsets[kept++] = k * inner;
    shape.dim[axis] = (int64_t)kept;
    oq_mover m;
    OQ_TRY(oq_mover_open(&m, context, 0, &shape, &data, 1, err));
    for (int64_t o = 0; o < outer; ++o)
        oq_pick_runs(m.to + (size_t)o * kept * (size_t)inner * m.element,
                     m.from[0] + (size_t)(o * size * inner) * m.element, offsets, kept, (size_t)inner,
                     m.element);
    return oq_mover_close(&m, err);
}

#define VERSION(SINCE, SET)                                                                                  \
    {                                                                                                        \
        .since = SINCE, .signature = "input:T, condition:T1 -> output:T",                                    \
        .types = OQ_TYPES({"T", SET}, {"T1", OQ_T(BOOL)}), .attrs = OQ_ATTRS({"axis", OQ_ATTR_INT, false}),  \
        .infer = oq_infer_some, .run = run                                                                   \
    }

static const oq_op_version versions[] = {VERSION(9, OQ_T_ALL1), VERSION(11, OQ_T_ALL1),
                                         VERSION(28, OQ_T_ALL13)};

OQ_ONNX_OP(Compress, versions);
