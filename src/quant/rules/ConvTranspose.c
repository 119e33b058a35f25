// ConvTranspose: no runtime has an integer kernel for it and the standard has no integer operator. Most
// become convolutions before they are planned (passes/sub_pixel); others stay float.
#include "quant/rule.h"

#include "ops/lib/sub_pixel.h"

static oq_status describe(oq_graph *graph, const oq_node *node, oq_arena *arena, oq_layer *out,
                          const char **reason, oq_error *err) {
    (void)arena, (void)err;
    oq_sub_pixel form;
    *out = oq_layer_make(OQ_LAYER_CONV, node);
    out->transposed = true;
    if (!oq_sub_pixel_read(graph, node, &form) || !oq_operand_take(graph, node, 0, &out->operand[0]) ||
        !oq_operand_take(graph, node, 1, &out->operand[1]))
        *reason = OQ_NO_TRANSPOSED_CONVOLUTION;
    else if (out->operand[0].constant)
        *reason = "its input is constant";
    return ONNXQ_OK;
}

// [C, M/group, k...]: a scale per index of M/group, shared by the groups; depthwise ones have M/group 1.
static bool weight_axes(const oq_node *node, size_t index, const oq_shape *shape, oq_weight_axes *out) {
    const bool depthwise = oq_node_int(node, "group", 1) > 1 && shape->rank > 1 && shape->dim[1] == 1;
    *out = (oq_weight_axes){.channel = depthwise ? 0 : 1, .reduction = depthwise ? 1 : 0, .taps = true};
    return index == 1 && shape->rank >= 3;
}

const oq_rule oq_rule_ConvTranspose = {
    .op_type = "ConvTranspose", .kind = OQ_RULE_COMPUTE, .describe = describe, .weight_axes = weight_axes};
