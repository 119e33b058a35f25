// MatMul: two activations, or a constant on either side; columns of a constant right side have scales of
// their own.
#include "quant/rule.h"

static oq_status describe(oq_graph *graph, const oq_node *node, oq_arena *arena, oq_layer *out,
                          const char **reason, oq_error *err) {
    (void)arena, (void)err;
    *out = oq_layer_make(OQ_LAYER_MATRIX, node);
    if (!oq_operand_take(graph, node, 0, &out->operand[0]) ||
        !oq_operand_take(graph, node, 1, &out->operand[1]))
        *reason = "an operand is missing";
    else if (out->operand[0].constant && out->operand[1].constant)
        *reason = "both operands are constant";
    const oq_constant *right = out->operand[1].constant;
    out->operand[1].channels = right && right->shape.rank >= 2;
    return ONNXQ_OK;
}

static bool weight_axes(const oq_node *node, size_t index, const oq_shape *shape, oq_weight_axes *out) {
    (void)node;
    const int last = shape->rank - 1;
    *out = index == 1 ? (oq_weight_axes){.channel = last, .reduction = last - 1}
                      : (oq_weight_axes){.channel = last - 1, .reduction = last};
    return shape->rank >= 2;
}

const oq_rule oq_rule_MatMul = {
    .op_type = "MatMul", .kind = OQ_RULE_COMPUTE, .describe = describe, .weight_axes = weight_axes};
