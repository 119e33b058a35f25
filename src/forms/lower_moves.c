// Operators that only move elements, between DequantizeLinear and QuantizeLinear of equal parameters.
#include "forms/lower.h"
#include "quant/rule.h"

static bool same_parameters(oq_graph *graph, const oq_dequantized *a, const oq_dequantized *b) {
    double x = 0, y = 0;
    if (a->dtype != b->dtype || !oq_form_same(graph, a->scale_id, b->scale_id)) return false;
    if (a->zero_id != OQ_NONE && !oq_form_number(graph, a->zero_id, &x)) return false;
    if (b->zero_id != OQ_NONE && !oq_form_number(graph, b->zero_id, &y)) return false;
    return x == y;
}

// Data inputs: activations with one scale and zero point, the same for all.
static bool inputs_match(oq_graph *graph, const oq_node *node, size_t data, oq_dequantized *first) {
    oq_dequantized d;
    for (size_t i = 0; i < data; i++) {
        if (!oq_dequantized_read(i ? &d : first, graph, oq_form_input(node, i))) return false;
        if (oq_shape_count(&first->scale->shape) != 1 || first->constant) return false;
        if (i && (d.constant || !same_parameters(graph, first, &d))) return false;
    }
    return data > 0;
}

static bool outputs_match(oq_graph *graph, const oq_node *node, const oq_dequantized *first) {
    for (size_t i = 0; i < node->output_count; i++) {
        if (node->outputs[i] == OQ_NONE) continue;
        const oq_node *next = oq_graph_only_consumer(graph, node->outputs[i]);
        oq_dequantized y = {.id = OQ_NONE};
        if (!next || !oq_node_is(next, "QuantizeLinear") || !oq_parameters_read(&y, graph, next))
            return false;
        if (y.zero_id == OQ_NONE) y.dtype = oq_form_dtype(graph, next->outputs[0]);
        if (!same_parameters(graph, first, &y)) return false;
    }
    return true;
}

// The same node on integers; those that QuantizeLinear made are its outputs.
static oq_status write(oq_graph *graph, oq_node *node, size_t data, const oq_dequantized *first,
                       const oq_rule *rule, oq_error *err) {
    double scale = 1, zero = 0;
    oq_form_number(graph, first->scale_id, &scale);
    if (first->zero_id != OQ_NONE) oq_form_number(graph, first->zero_id, &zero);
    const oq_qparam param = {.scale = (float)scale, .zero_point = (int32_t)zero};
    const oq_tensor_plan carried = {
        .quantized = true, .carrier = first->dtype, .channels = 1, .axis = -1, .params = &param};
    for (size_t i = 0; i < data; i++)
        OQ_TRY(oq_node_set_input(graph, node, i,
                                 oq_graph_producer_is(graph, node->inputs[i], "DequantizeLinear")->inputs[0],
                                 err));
    for (size_t i = 0; i < node->output_count; i++) {
        if (node->outputs[i] == OQ_NONE) continue;
        oq_node *next = oq_graph_only_consumer(graph, node->outputs[i]);
        const oq_value_id q = next->outputs[0];
        oq_graph_remove_node(graph, next);
        OQ_TRY(oq_node_set_output(graph, node, i, q, err));
    }
    return rule->adapt ? rule->adapt(graph, node, &carried, err) : ONNXQ_OK;
}

oq_status oq_lower_move(oq_graph *graph, oq_node *node, oq_forms *forms, oq_error *err) {
    const oq_rule *rule = oq_rule_find(node);
    if (!rule || rule->kind != OQ_RULE_PASSTHROUGH || (rule->moves && !rule->moves(graph, node)))
        return ONNXQ_OK;
    const size_t data = rule->all_inputs ? node->input_count : 1;
    oq_dequantized first;
    if (!inputs_match(graph, node, data, &first) || !oq_rule_carries(graph->model, node, first.dtype) ||
        !outputs_match(graph, node, &first))
        return ONNXQ_OK;
    forms->moved++;
    return write(graph, node, data, &first, rule, err);
}
