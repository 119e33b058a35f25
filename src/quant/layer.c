// Helpers of the rules that compute: operands, addends, the table look-up.
#include "quant/rule.h"

#include <math.h>
#include <string.h>

const oq_rule *oq_rule_find(const oq_node *node) {
    if (node->domain[0]) return NULL;
    for (const oq_rule *const *rule = oq_rule_table; *rule; rule++)
        if (strcmp((*rule)->op_type, node->op_type) == 0) return *rule;
    return NULL;
}

oq_layer oq_layer_make(oq_layer_shape shape, const oq_node *node) {
    return (oq_layer){.shape = shape,
                      .node = node->id,
                      .operand = {{.value = OQ_NONE}, {.value = OQ_NONE}},
                      .alpha = 1,
                      .addend = OQ_NONE,
                      .beta = 1,
                      .bias_node = OQ_NONE,
                      .clip_node = OQ_NONE,
                      .low = -INFINITY,
                      .high = INFINITY,
                      .product = node->outputs[0],
                      .sum = node->outputs[0],
                      .output = node->outputs[0]};
}

bool oq_operand_take(oq_graph *graph, const oq_node *node, size_t index, oq_operand *out) {
    if (index >= node->input_count || node->inputs[index] == OQ_NONE) return false;
    *out =
        (oq_operand){.value = node->inputs[index], .constant = oq_graph_constant(graph, node->inputs[index])};
    return true;
}

bool oq_recurrent_weight_axes(const oq_node *node, size_t index, const oq_shape *shape, oq_weight_axes *out) {
    (void)node;
    *out = (oq_weight_axes){.channel = 1, .reduction = 2};
    return (index == 1 || index == 2) && shape->rank == 3;
}

bool oq_rule_is_gated(oq_graph *graph, const oq_node *mul) {
    for (size_t i = 0; i < 2 && mul->input_count == 2; i++) {
        const oq_node_id id = oq_graph_value(graph, mul->inputs[i])->producer;
        const oq_node *gate = id == OQ_NONE ? NULL : oq_graph_node(graph, id);
        if (gate && (oq_node_is(gate, "Sigmoid") || oq_node_is(gate, "HardSigmoid")) &&
            gate->inputs[0] == mul->inputs[1 - i])
            return true;
    }
    return false;
}

bool oq_rule_is_gate(oq_graph *graph, const oq_node *gate) {
    const oq_node *mul = oq_graph_only_consumer(graph, gate->outputs[0]);
    return mul && oq_node_is(mul, "Mul") && oq_rule_is_gated(graph, mul);
}

oq_dtype oq_value_dtype(oq_graph *graph, oq_value_id value) {
    const oq_constant *constant = oq_graph_constant(graph, value);
    return constant ? constant->dtype : oq_graph_value(graph, value)->type.dtype;
}

int oq_axis_reshaped(oq_graph *graph, const oq_node *node, int axis) {
    const oq_type *from = &oq_graph_value(graph, node->inputs[0])->type,
                  *to = &oq_graph_value(graph, node->outputs[0])->type;
    int64_t inner = 1, behind = 1;
    if (from->kind != OQ_TYPE_TENSOR || to->kind != OQ_TYPE_TENSOR || axis >= from->rank) return -1;
    // The axis is the one of this size with as many elements behind each of its steps; those in front may be
    // unknown.
    for (int d = axis; d < from->rank; d++)
        if (!oq_dim_known(from->dim[d])) return -1;
    for (int d = axis + 1; d < from->rank; d++) inner *= from->dim[d].size;
    for (int d = to->rank; d-- > 0 && oq_dim_known(to->dim[d]);) {
        if (behind == inner && to->dim[d].size == from->dim[axis].size && inner > 0) return d;
        behind *= to->dim[d].size;
    }
    return -1;
}

// One value per channel: a single element, or all along the channel axis ([N], [1,N] behind a matrix
// product).
static bool is_vector(const oq_shape *shape, int64_t channels) {
    const int64_t count = oq_shape_count(shape);
    if (count == 1) return true;
    return shape->rank > 0 && shape->dim[shape->rank - 1] == count && (channels == 0 || channels == count);
}

oq_status oq_layer_take_bias(oq_graph *graph, oq_arena *arena, oq_layer *layer, int64_t channels,
                             oq_error *err) {
    const oq_constant *constant = oq_graph_constant(graph, layer->addend);
    if (!constant || constant->dtype != ONNXQ_FLOAT || !is_vector(&constant->shape, channels))
        return ONNXQ_OK;
    const int64_t own = oq_shape_count(&constant->shape);
    if (!channels && own == 1) return ONNXQ_OK; // a scalar for an unknown number of channels
    oq_tensor tensor = {0};
    OQ_TRY(oq_constant_load(graph->model->mem, constant, &tensor, err));
    const size_t count = (size_t)(channels ? channels : own);
    layer->bias = oq_arena_calloc(arena, count, sizeof *layer->bias, err);
    const float *data = tensor.data;
    for (size_t c = 0; layer->bias && c < count; c++)
        layer->bias[c] = (float)(layer->beta * (double)data[own == 1 ? 0 : c]);
    oq_tensor_release(&tensor);
    if (!layer->bias) return ONNXQ_NO_MEMORY;
    layer->bias_count = count;
    layer->vector = true;
    return ONNXQ_OK;
}
