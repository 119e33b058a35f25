// Upgrades of old forms that the elementwise families share.
#include "ops/lib/elementwise.h"

oq_status oq_upgrade_consumed(oq_upgrade_context *context, oq_error *err) {
    (void)err;
    if (!oq_node_attr(context->node, "consumed_inputs")) return ONNXQ_OK;
    oq_node_remove_attr(context->node, "consumed_inputs");
    oq_graph_touch_node(context->graph, context->node);
    return ONNXQ_OK;
}

oq_status oq_upgrade_ints_input(oq_upgrade_context *context, size_t index, const char *name,
                                const int64_t *values, size_t count, oq_error *err) {
    oq_tensor tensor = {0};
    oq_value_id id;
    const oq_shape shape = oq_shape_of(1, (int64_t[]){(int64_t)count});
    OQ_TRY(oq_tensor_new(context->graph->model->mem, ONNXQ_INT64, &shape, &tensor, err));
    for (size_t i = 0; i < count; i++) ((int64_t *)tensor.data)[i] = values[i];
    OQ_TRY(oq_graph_add_initializer(context->graph, name, tensor, &id, err));
    return oq_node_set_input(context->graph, context->node, index, id, err);
}

oq_status oq_upgrade_number_input(oq_upgrade_context *context, size_t index, const char *name, oq_dtype dtype,
                                  float value, oq_error *err) {
    oq_tensor tensor = {0};
    oq_value_id id;
    OQ_TRY(oq_tensor_new(context->graph->model->mem, dtype, &(oq_shape){0}, &tensor, err));
    oq_store_f32(dtype, &value, tensor.data, 1);
    OQ_TRY(oq_graph_add_initializer(context->graph, name, tensor, &id, err));
    return oq_node_set_input(context->graph, context->node, index, id, err);
}

// A fresh value named after output 0 of the upgraded node.
static oq_status new_value(oq_upgrade_context *context, const char *suffix, oq_value_id *out, oq_error *err) {
    const oq_graph *graph = context->graph;
    const char *name = oq_graph_value(graph, context->node->outputs[0])->name;
    name = oq_arena_printf(&graph->model->arena, err, "%s%s", name, suffix);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_unique_name(context->graph, name, &name, err));
    return oq_graph_add_value(context->graph, name, out, err);
}

oq_status oq_upgrade_new_node(oq_upgrade_context *context, const char *op_type, const oq_value_id *inputs,
                              size_t input_count, const char *suffix, oq_node **out, oq_error *err) {
    oq_value_id output;
    OQ_TRY(new_value(context, suffix, &output, err));
    return oq_graph_add_node(context->graph, "", op_type, "", inputs, input_count, &output, 1, out, err);
}

oq_status oq_upgrade_follow(oq_upgrade_context *context, const char *op_type, oq_value_id second,
                            oq_node **out, oq_error *err) {
    oq_value_id fresh;
    const oq_value_id old = context->node->outputs[0];
    OQ_TRY(new_value(context, "_inner", &fresh, err));
    OQ_TRY(oq_node_set_output(context->graph, context->node, 0, fresh, err));
    const oq_value_id inputs[2] = {fresh, second};
    return oq_graph_add_node(context->graph, "", op_type, "", inputs, second == OQ_NONE ? 1 : 2, &old, 1, out,
                             err);
}

oq_status oq_upgrade_append_ones(oq_upgrade_context *context, size_t index, int rank, int ones,
                                 oq_error *err) {
    int64_t sizes[2 * OQ_MAX_RANK] = {0}; // 0: copied from the input
    if (rank + ones > OQ_MAX_RANK)
        return oq_fail(err, ONNXQ_BAD_MODEL, "%s aligns an input at an axis beyond rank %d",
                       context->node->op_type, OQ_MAX_RANK);
    for (int i = 0; i < ones; i++) sizes[rank + i] = 1;
    oq_node *reshape;
    const oq_value_id inputs[2] = {context->node->inputs[index], OQ_NONE};
    OQ_TRY(oq_upgrade_new_node(context, "Reshape", inputs, 1, "_aligned", &reshape, err));
    oq_upgrade_context inner = {
        .graph = context->graph, .node = reshape, .from = context->from, .to = context->to};
    OQ_TRY(oq_upgrade_ints_input(&inner, 1, "aligned_shape", sizes, (size_t)(rank + ones), err));
    return oq_node_set_input(context->graph, context->node, index, reshape->outputs[0], err);
}

static int rank_of(const oq_upgrade_context *context, size_t input) {
    const oq_value_id id = context->node->inputs[input];
    const oq_type *type = id == OQ_NONE ? NULL : &oq_graph_value(context->graph, id)->type;
    return type && type->kind == OQ_TYPE_TENSOR ? type->rank : -1;
}

oq_status oq_upgrade_broadcast(oq_upgrade_context *context, oq_error *err) {
    oq_node *node = context->node;
    OQ_TRY(oq_upgrade_consumed(context, err));
    const oq_attr *axis = oq_node_attr(node, "axis");
    if (axis && axis->kind == OQ_ATTR_INT && oq_node_int(node, "broadcast", 0) && node->input_count == 2) {
        const int a = rank_of(context, 0), b = rank_of(context, 1);
        if (a < 0 || b < 0)
            return oq_fail(
                err, ONNXQ_UNSUPPORTED,
                "%s aligns its second input at an axis, which opset 7 cannot say without the ranks "
                "of both inputs: run shape inference on the model first",
                node->op_type);
        const int64_t from = axis->i < 0 ? axis->i + a : axis->i;
        if (from < 0 || from > a - b)
            return oq_fail(err, ONNXQ_BAD_MODEL, "%s: attribute axis does not place input 1 inside input 0",
                           node->op_type);
        const int ones = a - b - (int)from;
        if (ones > 0) OQ_TRY(oq_upgrade_append_ones(context, 1, b, ones, err));
    }
    oq_node_remove_attr(node, "broadcast");
    oq_node_remove_attr(node, "axis");
    oq_graph_touch_node(context->graph, node);
    return ONNXQ_OK;
}
