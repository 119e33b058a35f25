// Concat: tensors joined along one axis.
#include "ops/lib/concat.h"
#include "ops/lib/schema.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor **parts = oq_scratch(context, (context->input_count + 1) * sizeof *parts, err);
    if (!parts) return ONNXQ_NO_MEMORY;
    size_t count = 0;
    for (size_t i = 0; i < context->input_count; ++i) OQ_TRY(oq_need(context, i, &parts[count++], err));
    if (!count) return oq_fail(err, ONNXQ_BAD_MODEL, "Concat without inputs");
    int axis;
    OQ_TRY(oq_axis(context, oq_node_int(context->node, "axis", 1), parts[0]->shape.rank, &axis, err));
    return oq_concat(context, 0, parts, count, axis, err);
}

// Elements of lists follow one another; those of a part that is not followed are unknown.
static oq_status join_elements(oq_infer_context *context, oq_error *err) {
    oq_dim joined[OQ_INFER_MAX_DIMS];
    size_t total = 0;
    bool any = false;
    for (size_t i = 0; i < context->input_count; ++i) {
        size_t count;
        const oq_dim *elements = oq_infer_elements(context, i, &count);
        const int64_t length = oq_infer_length(context, i);
        if (length < 0 || length > OQ_INFER_MAX_DIMS - (int64_t)total) return ONNXQ_OK;
        for (int64_t k = 0; k < length; ++k)
            joined[total++] = elements && (size_t)k < count ? elements[k] : OQ_DIM_ANONYMOUS;
        any = any || elements;
    }
    return any ? oq_infer_set_elements(context, 0, joined, total, err) : ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    OQ_TRY(oq_concat_infer(context, 0, 1, oq_node_int(context->node, "axis", 1), err));
    return context->out[0].rank == 1 ? join_elements(context, err) : ONNXQ_OK;
}

static oq_status upgrade_4(oq_upgrade_context *context, oq_error *err) {
    if (oq_node_attr(context->node, "axis")) return ONNXQ_OK;
    return oq_node_set_int(context->graph, context->node, "axis", 1, err); // was the default
}

#define VERSION(SINCE, SET, REQUIRED, UPGRADE)                                                               \
    {                                                                                                        \
        .since = SINCE, .signature = "inputs+:T -> concat_result:T", .types = OQ_TYPES({"T", SET}),          \
        .attrs = OQ_ATTRS({"axis", OQ_ATTR_INT, REQUIRED}), .infer = infer, .run = run, .upgrade = UPGRADE   \
    }

static const oq_op_version versions[] = {
    VERSION(1, OQ_T_FLOATS3, false, NULL),
    VERSION(4, OQ_T_ALL1, true, upgrade_4),
    VERSION(11, OQ_T_ALL1, true, NULL),
    VERSION(13, OQ_T_ALL13, true, NULL),
};

OQ_ONNX_OP(Concat, versions);
