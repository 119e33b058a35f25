// Upsample: what Resize was called until opset 10.
#include "ops/lib/resize.h"
#include "ops/lib/schema.h"
#include "ops/lib/upgrade.h"

static oq_status upgrade_7(oq_upgrade_context *context, oq_error *err) {
    oq_node *node = context->node;
    const float scales[4] = {1, 1, oq_node_float(node, "height_scale", 1),
                             oq_node_float(node, "width_scale", 1)};
    oq_node_remove_attr(node, "height_scale");
    oq_node_remove_attr(node, "width_scale");
    return oq_upgrade_add(context, "scales", 1, ONNXQ_FLOAT, scales, 4, false, err);
}

static oq_status upgrade_9(oq_upgrade_context *context, oq_error *err) {
    const oq_attr *attr = oq_node_attr(context->node, "scales");
    if (!attr || attr->kind != OQ_ATTR_FLOATS) return ONNXQ_OK; // upgrade_7 has made the input already
    OQ_TRY(oq_upgrade_add(context, "scales", 1, ONNXQ_FLOAT, attr->floats, attr->count, false, err));
    oq_node_remove_attr(context->node, "scales");
    return ONNXQ_OK;
}

static oq_status upgrade_10(oq_upgrade_context *context, oq_error *err) {
    return oq_upgrade_rename(context, "Resize", err);
}

#define MODE                                                                                                 \
    { "mode", OQ_ATTR_STRING, false }
static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "X:T -> Y:T",
     .types = OQ_TYPES({"T", OQ_T_FLOATS3 | OQ_T_INDEX | OQ_T(BOOL)}),
     .attrs = OQ_ATTRS({"height_scale", OQ_ATTR_FLOAT, true}, MODE, {"width_scale", OQ_ATTR_FLOAT, true}),
     .infer = oq_infer_upsample,
     .run = oq_run_upsample},
    {.since = 7,
     .signature = "X:T -> Y:T",
     .types = OQ_TYPES({"T", OQ_T_ALL1}),
     .attrs = OQ_ATTRS(MODE, {"scales", OQ_ATTR_FLOATS, true}),
     .infer = oq_infer_upsample,
     .run = oq_run_upsample,
     .upgrade = upgrade_7},
    {.since = 9,
     .signature = "X:T, scales:float32 -> Y:T",
     .types = OQ_TYPES({"T", OQ_T_ALL1}),
     .attrs = OQ_ATTRS(MODE),
     .infer = oq_infer_upsample,
     .run = oq_run_upsample,
     .upgrade = upgrade_9},
    {.since = 10,
     .signature = "X:T, scales:float32 -> Y:T",
     .types = OQ_TYPES({"T", OQ_T_ALL1}),
     .attrs = OQ_ATTRS(MODE),
     .infer = oq_infer_upsample,
     .run = oq_run_upsample,
     .upgrade = upgrade_10},
};

OQ_ONNX_OP(Upsample, versions);
