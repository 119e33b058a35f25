// GatherElements: one element per index, at the index's own place but for one axis.
#include "ops/lib/gather.h"
#include "ops/lib/mover.h"
#include "ops/lib/pick.h"
#include "ops/lib/schema.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data, *indices;
    const int64_t *picks;
    size_t count;
    int axis;
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(oq_need(context, 1, &indices, err));
    OQ_TRY(oq_axis(context, oq_node_int(context->node, "axis", 0), data->shape.rank, &axis, err));
    OQ_TRY(oq_list_of(context, indices, &picks, &count, err));
    int64_t *offsets = oq_scratch(context, count * sizeof *offsets, err);
    if (!offsets) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_element_offsets(context, &data->shape, &indices->shape, axis, picks, offsets, err));
    oq_mover m;
    OQ_TRY(oq_mover_open(&m, context, 0, &indices->shape, &data, 1, err));
    oq_pick(m.to, m.from[0], offsets, count, m.element);
    return oq_mover_close(&m, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *indices = oq_infer_in(context, 1);
    (void)err;
    oq_infer_set(context, 0, oq_infer_dtype(context, 0), indices ? indices->rank : -1,
                 indices ? indices->dim : NULL);
    return ONNXQ_OK;
}

#define VERSION(SINCE, SET)                                                                                  \
    {                                                                                                        \
        .since = SINCE, .signature = "data:T, indices:Tind -> output:T",                                     \
        .types = OQ_TYPES({"T", SET}, {"Tind", OQ_T_INDEX}),                                                 \
        .attrs = OQ_ATTRS({"axis", OQ_ATTR_INT, false}), .infer = infer, .run = run                          \
    }

static const oq_op_version versions[] = {VERSION(11, OQ_T_ALL1), VERSION(13, OQ_T_ALL13)};

OQ_ONNX_OP(GatherElements, versions);
