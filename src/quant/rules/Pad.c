// Pad: the elements with a border; a constant border becomes its integer, and 0 the zero point, never integer
// 0.
#include "quant/rule.h"

#include <math.h>
#include <string.h>

// The constant border, 0 when none is given; false when it is computed at run time.
static bool border(oq_graph *graph, const oq_node *node, float *value) {
    *value = 0;
    if (node->input_count < 3 || node->inputs[2] == OQ_NONE) return true;
    const oq_constant *constant = oq_graph_constant(graph, node->inputs[2]);
    oq_tensor tensor = {0};
    oq_error ignored = {0};
    if (!constant || constant->dtype != ONNXQ_FLOAT || oq_shape_count(&constant->shape) != 1 ||
        oq_constant_load(graph->model->mem, constant, &tensor, &ignored) != ONNXQ_OK)
        return false;
    *value = *(const float *)tensor.data;
    oq_tensor_release(&tensor);
    return true;
}

static bool is_constant_mode(const oq_node *node) {
    return strcmp(oq_node_string(node, "mode", "constant"), "constant") == 0;
}

// Zero is on every grid; any other border would have to widen the range.
static bool moves(oq_graph *graph, const oq_node *node) {
    float value;
    return node->input_count >= 2 &&
           (!is_constant_mode(node) || (border(graph, node, &value) && value == 0.0f));
}

static oq_status adapt(oq_graph *graph, oq_node *node, const oq_tensor_plan *tensor, oq_error *err) {
    if (!is_constant_mode(node)) return ONNXQ_OK;
    oq_tensor value = {0};
    const oq_shape scalar = {.rank = 0};
    OQ_TRY(oq_tensor_new(graph->model->mem, tensor->carrier, &scalar, &value, err));
    const int64_t zero = tensor->params[0].zero_point;
    oq_store_i64(tensor->carrier, &zero, value.data, 1);
    oq_value_id id;
    OQ_TRY(oq_graph_add_initializer(graph, "pad_value", value, &id, err));
    return oq_node_set_input(graph, node, 2, id, err);
}

const oq_rule oq_rule_Pad = {
    .op_type = "Pad", .kind = OQ_RULE_PASSTHROUGH, .early = true, .moves = moves, .adapt = adapt};
