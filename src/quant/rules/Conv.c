// Conv: constant weights [M, C/group, k...], one scale per output channel; the bias becomes int32.
#include "quant/rule.h"

static oq_status describe(oq_graph *graph, const oq_node *node, oq_arena *arena, oq_layer *out,
                          const char **reason, oq_error *err) {
    *out = oq_layer_make(OQ_LAYER_CONV, node);
    if (!oq_operand_take(graph, node, 0, &out->operand[0]) ||
        !oq_operand_take(graph, node, 1, &out->operand[1])) {
        *reason = "an operand is missing";
        return ONNXQ_OK;
    }
    const oq_constant *weight = out->operand[1].constant;
    if (!weight) {
        *reason = "its weights are computed at run time";
    } else if (weight->shape.rank < 3) {
        *reason = "its weights have fewer than 3 dimensions";
    } else if (out->operand[0].constant) {
        *reason = "its input is constant";
    }
    if (*reason) return ONNXQ_OK;
    out->operand[1].channels = true;
    if (node->input_count < 3 || node->inputs[2] == OQ_NONE) return ONNXQ_OK;
    out->addend = node->inputs[2];
    OQ_TRY(oq_layer_take_bias(graph, arena, out, weight->shape.dim[0], err));
    // An integer convolution takes int32 bias only, and no range is known for the sum before a computed bias.
    if (!out->vector) *reason = "its bias is computed at run time";
    return ONNXQ_OK;
}

static bool weight_axes(const oq_node *node, size_t index, const oq_shape *shape, oq_weight_axes *out) {
    (void)node;
    *out = (oq_weight_axes){.channel = 0, .reduction = 1, .taps = true};
    return index == 1 && shape->rank >= 3;
}

const oq_rule oq_rule_Conv = {
    .op_type = "Conv", .kind = OQ_RULE_COMPUTE, .describe = describe, .weight_axes = weight_axes};
