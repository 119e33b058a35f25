// Gemm: Y = alpha A' B' + beta C. alpha goes into the constant operand, beta into a constant C.
#include "quant/rule.h"

static oq_status describe(oq_graph *graph, const oq_node *node, oq_arena *arena, oq_layer *out,
                          const char **reason, oq_error *err) {
    *out = oq_layer_make(OQ_LAYER_MATRIX, node);
    if (!oq_operand_take(graph, node, 0, &out->operand[0]) ||
        !oq_operand_take(graph, node, 1, &out->operand[1])) {
        *reason = "an operand is missing";
        return ONNXQ_OK;
    }
    if (out->operand[0].constant && out->operand[1].constant) {
        *reason = "both operands are constant";
        return ONNXQ_OK;
    }
    out->alpha = (double)oq_node_float(node, "alpha", 1);
    out->beta = (double)oq_node_float(node, "beta", 1);
    out->operand[0].transposed = oq_node_int(node, "transA", 0) != 0;
    out->operand[1].transposed = oq_node_int(node, "transB", 0) != 0;
    const oq_constant *right = out->operand[1].constant;
    out->operand[1].channels = right != NULL;
    if (node->input_count < 3 || node->inputs[2] == OQ_NONE) return ONNXQ_OK;
    out->addend = node->inputs[2];
    int64_t columns = 0;
    if (right && right->shape.rank == 2) columns = right->shape.dim[out->operand[1].transposed ? 0 : 1];
    return oq_layer_take_bias(graph, arena, out, columns, err);
}

static bool weight_axes(const oq_node *node, size_t index, const oq_shape *shape, oq_weight_axes *out) {
    const bool transposed = oq_node_int(node, index ? "transB" : "transA", 0) != 0;
    const int reduction = (index == 1) == transposed ? 1 : 0;
    *out = (oq_weight_axes){.channel = 1 - reduction, .reduction = reduction};
    return index < 2 && shape->rank == 2;
}

const oq_rule oq_rule_Gemm = {
    .op_type = "Gemm", .kind = OQ_RULE_COMPUTE, .describe = describe, .weight_axes = weight_axes};
