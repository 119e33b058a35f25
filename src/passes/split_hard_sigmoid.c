// HardSigmoid behind a product becomes Mul, Add and Clip: the first two fold into the product's constants,
// and the clip into the range of its integers.
#include "passes/passes.h"

// A Conv or Gemm with constant weights that nobody else reads.
static bool follows_product(oq_graph *graph, const oq_node *node) {
    const oq_node_id id = oq_graph_value(graph, node->inputs[0])->producer;
    const oq_node *product = id == OQ_NONE ? NULL : oq_graph_node(graph, id);
    return product && (oq_node_is(product, "Conv") || oq_node_is(product, "Gemm")) &&
           product->input_count > 1 && product->inputs[1] != OQ_NONE &&
           oq_graph_constant(graph, product->inputs[1]) &&
           oq_graph_only_consumer(graph, node->inputs[0]) == node;
}

static oq_status new_scalar(oq_graph *graph, const char *name, float number, oq_value_id *out,
                            oq_error *err) {
    const oq_shape scalar = {.rank = 0};
    oq_tensor tensor = {0};
    OQ_TRY(oq_tensor_new(graph->model->mem, ONNXQ_FLOAT, &scalar, &tensor, err));
    *(float *)tensor.data = number;
    return oq_graph_add_initializer(graph, name, tensor, out, err);
}

// `op_type` of `from` and a new scalar, into a new value.
static oq_status put(oq_graph *graph, const char *op_type, oq_value_id from, float number, oq_value_id *out,
                     oq_error *err) {
    const char *base = oq_graph_value(graph, from)->name, *name, *value;
    oq_value_id inputs[2] = {from};
    oq_node *node;
    if (!(name = oq_arena_printf(&graph->model->arena, err, "%s_%s", base, op_type))) return ONNXQ_NO_MEMORY;
    OQ_TRY(new_scalar(graph, name, number, &inputs[1], err));
    if (!(value = oq_arena_printf(&graph->model->arena, err, "%s_result", name))) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_unique_name(graph, value, &value, err));
    OQ_TRY(oq_graph_add_value(graph, value, out, err));
    oq_graph_value(graph, *out)->type = oq_graph_value(graph, from)->type;
    return oq_graph_add_node(graph, "", op_type, "", inputs, 2, out, 1, &node, err);
}

// Bounds are attributes until opset 10, then inputs.
static oq_status put_clip(oq_graph *graph, const char *name, oq_value_id from, oq_value_id to,
                          oq_error *err) {
    const bool attributes = oq_model_opset(graph->model, "") < 11;
    oq_value_id inputs[3] = {from, OQ_NONE, OQ_NONE};
    oq_node *node;
    if (!attributes) {
        OQ_TRY(new_scalar(graph, "hard_sigmoid_low", 0, &inputs[1], err));
        OQ_TRY(new_scalar(graph, "hard_sigmoid_high", 1, &inputs[2], err));
    }
    OQ_TRY(oq_graph_add_node(graph, name, "Clip", "", inputs, attributes ? 1 : 3, &to, 1, &node, err));
    if (!attributes) return ONNXQ_OK;
    OQ_TRY(oq_node_set_float(graph, node, "min", 0, err));
    return oq_node_set_float(graph, node, "max", 1, err);
}

oq_status oq_pass_split_hard_sigmoid(oq_graph *graph, oq_error *err) {
    for (size_t i = 0; i < graph->node_count; i++) {
        oq_node *node = graph->nodes[i];
        if (node->dead || !oq_node_is(node, "HardSigmoid") || !follows_product(graph, node) ||
            oq_graph_value(graph, node->inputs[0])->type.dtype != ONNXQ_FLOAT)
            continue;
        const float alpha = oq_node_float(node, "alpha", .2f), beta = oq_node_float(node, "beta", .5f);
        const oq_value_id from = node->inputs[0], to = node->outputs[0];
        const char *name = node->name;
        oq_value_id scaled, shifted;
        oq_graph_remove_node(graph, node);
        OQ_TRY(put(graph, "Mul", from, alpha, &scaled, err));
        OQ_TRY(put(graph, "Add", scaled, beta, &shifted, err));
        OQ_TRY(put_clip(graph, name, shifted, to, err));
    }
    return ONNXQ_OK;
}
