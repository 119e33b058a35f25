// Elementwise nodes on integers: the float operator between DequantizeLinear and QuantizeLinear in both
// formats. Runtimes compute that on the integers; ONNX has no integer operators for it.
#include "quant/emit.h"

#include <math.h>

// A number as DequantizeLinear of the carrier's greatest integer with the zero point 0, or of 0 with the
// greatest as zero point. `value`: the result of what reads it.
static oq_status emit_number(oq_emitter *e, oq_value_id value, double number, oq_value_id *out,
                             oq_error *err) {
    const oq_tensor_plan *tensor = &e->plan->tensors[value];
    const oq_shape scalar = {.rank = 0};
    const int64_t most = tensor->grid.qmax, greatest = number > 0 ? most : 0, zero = number < 0 ? most : 0;
    const float scale = number != 0 ? (float)(fabs(number) / (double)most) : 1;
    oq_value_id in[3];
    OQ_TRY(oq_emit_integers(e, value, "_shift_quantized", tensor->carrier, &greatest, &scalar, &in[0], err));
    OQ_TRY(oq_emit_floats(e, value, "_shift_scale", &scale, &scalar, &in[1], err));
    OQ_TRY(oq_emit_integers(e, value, "_shift_zero_point", tensor->carrier, &zero, &scalar, &in[2], err));
    OQ_TRY(oq_emit_shaped(e, value, "_shift", ONNXQ_FLOAT, &scalar, out, err));
    return oq_emit_node(e, "", "DequantizeLinear", in, 3, *out, NULL, err);
}

// y = (x + addend) factor, clipped: QuantizeLinear with scale s / factor gives y's integers of scale s.
static oq_status emit_shifted(oq_emitter *e, oq_node *node, const oq_rule *rule, oq_error *err) {
    const oq_value_id x = node->inputs[0], y = node->outputs[0];
    const oq_tensor_plan *tensor = &e->plan->tensors[y];
    const oq_shape scalar = {.rank = 0};
    const char *name = node->name;
    double addend, factor;
    oq_value_id sum, in[3], scale, q;
    rule->shift(node, &addend, &factor);
    const float own = (float)((double)tensor->params[0].scale / factor);
    OQ_TRY(oq_emit_dequantized(e, x, &in[0], err));
    OQ_TRY(emit_number(e, y, addend, &in[1], err));
    oq_graph_remove_node(e->graph, node);
    OQ_TRY(oq_emit_value(e, y, "_float", ONNXQ_FLOAT, &sum, err));
    OQ_TRY(oq_emit_node(e, name, "Add", in, 2, sum, NULL, err));
    in[0] = sum;
    OQ_TRY(oq_emit_params(e, y, &scale, &in[2], err));
    OQ_TRY(oq_emit_floats(e, y, "_shifted_scale", &own, &scalar, &in[1], err));
    OQ_TRY(oq_emit_replace(e, y, &q, err));
    return oq_emit_node(e, "", "QuantizeLinear", in, 3, q, NULL, err);
}

// The same integers under other parameters.
static oq_status emit_alias(oq_emitter *e, oq_node *node, oq_error *err) {
    const oq_value_id y = node->outputs[0];
    OQ_TRY(oq_emit_quantized(e, e->plan->alias[y], &e->quantized[y], err));
    e->replaced[y] = true;
    oq_graph_remove_node(e->graph, node);
    return ONNXQ_OK;
}

oq_status oq_emit_elementwise(oq_emitter *e, oq_node *node, oq_error *err) {
    const oq_rule *rule = e->plan->elementwise[node->id];
    if (rule->shift) return emit_shifted(e, node, rule, err);
    const oq_value_id y = oq_plan_elementwise_output(e->plan, node->id);
    const oq_node_id clip = e->plan->clip_of[node->id];
    oq_value_id in, result;
    double number;
    if (e->plan->alias[y] != OQ_NONE) return emit_alias(e, node, err);
    for (size_t i = 0; i < node->input_count && (i == 0 || rule->all_inputs); i++) {
        if (oq_plan_is_number(e->plan, node->inputs[i], &number))
            OQ_TRY(emit_number(e, y, number, &in, err));
        else
            OQ_TRY(oq_emit_dequantized(e, node->inputs[i], &in, err));
        OQ_TRY(oq_node_set_input(e->graph, node, i, in, err));
    }
    if (clip != OQ_NONE) oq_graph_remove_node(e->graph, oq_graph_node(e->graph, clip));
    OQ_TRY(oq_emit_value(e, y, "_float", ONNXQ_FLOAT, &result, err));
    OQ_TRY(oq_node_set_output(e->graph, node, 0, result, err));
    return oq_emit_requantized(e, result, y, err);
}
