// Integer operators: QLinearConv, QLinearMatMul, and MatMulInteger where a bias or a float result follows.
#include "quant/emit.h"

static oq_status emit_conv(oq_emitter *e, const oq_layer *layer, oq_error *err) {
    const oq_node *node = oq_graph_node(e->graph, layer->node);
    // x, x_scale, x_zero_point, w, w_scale, w_zero_point, y_scale, y_zero_point, B
    oq_value_id in[9], out;
    in[8] = OQ_NONE;
    OQ_TRY(oq_emit_operand(e, layer, 0, &in[0], err));
    OQ_TRY(oq_emit_operand_params(e, &layer->operand[0], &in[1], &in[2], err));
    OQ_TRY(oq_emit_operand(e, layer, 1, &in[3], err));
    OQ_TRY(oq_emit_operand_params(e, &layer->operand[1], &in[4], &in[5], err));
    OQ_TRY(oq_emit_params(e, layer->output, &in[6], &in[7], err));
    if (layer->vector) OQ_TRY(oq_emit_bias(e, layer, &in[8], NULL, err));
    oq_emit_remove(e, layer);
    OQ_TRY(oq_emit_produced(e, layer->output, &out, err));
    oq_node *made;
    OQ_TRY(oq_emit_node(e, node->name, "QLinearConv", in, 9, out, &made, err));
    OQ_TRY(oq_emit_conv_attributes(e, layer, made, err));
    return ONNXQ_OK;
}

static oq_status emit_qlinear_matmul(oq_emitter *e, const oq_layer *layer, oq_error *err) {
    const char *name = oq_graph_node(e->graph, layer->node)->name;
    // a, a_scale, a_zero_point, b, b_scale, b_zero_point, y_scale, y_zero_point
    oq_value_id in[8], out;
    for (int i = 0; i < 2; i++) {
        OQ_TRY(oq_emit_operand(e, layer, i, &in[3 * i], err));
        OQ_TRY(oq_emit_operand_params(e, &layer->operand[i], &in[3 * i + 1], &in[3 * i + 2], err));
    }
    OQ_TRY(oq_emit_params(e, layer->output, &in[6], &in[7], err));
    oq_emit_remove(e, layer);
    OQ_TRY(oq_emit_produced(e, layer->output, &out, err));
    return oq_emit_node(e, name, "QLinearMatMul", in, 8, out, NULL, err);
}

// s_a * s_b (times alpha of two activations), one or one per column of b.
static oq_status emit_scales(oq_emitter *e, const oq_layer *layer, oq_value_id *out, oq_error *err) {
    const oq_weight *a = layer->operand[0].weight, *b = layer->operand[1].weight;
    oq_value_id own, zero;
    if (b && !a) {
        OQ_TRY(oq_emit_operand_params(e, &layer->operand[1], &own, &zero, err));
        return oq_emit_product_scale(e, layer->operand[0].value, own, layer->product, out, err);
    }
    const float sa = a ? a->params[0].scale : e->plan->tensors[layer->operand[0].value].params[0].scale,
                sb = e->plan->tensors[layer->operand[1].value].params[0].scale;
    const float scale = sa * sb * (a ? 1.0f : (float)layer->alpha);
    const oq_shape scalar = {.rank = 0};
    return oq_emit_floats(e, layer->product, "_scale", &scale, &scalar, out, err);
}

oq_status oq_emit_zero(oq_emitter *e, const oq_operand *operand, oq_value_id *out, oq_error *err) {
    oq_value_id scale;
    bool all_zero = operand->weight != NULL;
    for (size_t c = 0; operand->weight && c < oq_weight_params(operand->weight); c++)
        all_zero &= operand->weight->params[c].zero_point == 0;
    *out = OQ_NONE;
    return all_zero ? ONNXQ_OK : oq_emit_operand_params(e, operand, &scale, out, err);
}

// MatMulInteger, Cast, Mul by the scales, Add: the bias and the result lose nothing to a grid of the output.
static oq_status emit_matmul_integer(oq_emitter *e, const oq_layer *layer, oq_error *err) {
    const char *name = oq_graph_node(e->graph, layer->node)->name;
    const bool adds = oq_layer_adds(layer);
    oq_value_id in[4], sum, cast, scale, product, result = layer->output, addend = OQ_NONE;
    for (int i = 0; i < 2; i++) {
        OQ_TRY(oq_emit_operand(e, layer, i, &in[i], err));
        OQ_TRY(oq_emit_zero(e, &layer->operand[i], &in[2 + i], err));
    }
    OQ_TRY(emit_scales(e, layer, &scale, err));
    if (adds) OQ_TRY(oq_emit_addend(e, layer, &addend, err));
    oq_emit_remove(e, layer);
    OQ_TRY(oq_emit_value(e, layer->product, "_int32", ONNXQ_INT32, &sum, err));
    OQ_TRY(oq_emit_node(e, name, "MatMulInteger", in, 4, sum, NULL, err));
    OQ_TRY(oq_emit_value(e, layer->product, "_cast", ONNXQ_FLOAT, &cast, err));
    oq_node *node;
    OQ_TRY(oq_emit_node(e, "", "Cast", &sum, 1, cast, &node, err));
    OQ_TRY(oq_node_set_int(e->graph, node, "to", ONNXQ_FLOAT, err));
    if (layer->integer) OQ_TRY(oq_emit_value(e, layer->product, "_float", ONNXQ_FLOAT, &result, err));
    product = result;
    if (adds) OQ_TRY(oq_emit_value(e, layer->product, "_product", ONNXQ_FLOAT, &product, err));
    OQ_TRY(oq_emit_node(e, "", "Mul", (oq_value_id[]){cast, scale}, 2, product, NULL, err));
    if (adds) OQ_TRY(oq_emit_node(e, "", "Add", (oq_value_id[]){product, addend}, 2, result, NULL, err));
    return layer->integer ? oq_emit_requantized(e, result, layer->output, err) : ONNXQ_OK;
}

oq_status oq_emit_qoperator(oq_emitter *e, const oq_layer *layer, oq_error *err) {
    if (layer->shape == OQ_LAYER_CONV) return emit_conv(e, layer, err);
    const bool weighted = layer->operand[0].weight || layer->operand[1].weight;
    const bool plain = !oq_layer_adds(layer) && (weighted || layer->alpha == 1);
    const bool narrow = layer->integer && oq_plan_tensor(e->plan, layer->output)->grid.bits <= 8;
    return narrow && plain ? emit_qlinear_matmul(e, layer, err) : emit_matmul_integer(e, layer, err);
}
