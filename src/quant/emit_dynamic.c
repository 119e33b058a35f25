// Products whose activations are quantized at run time: DynamicQuantizeLinear, MatMulInteger or ConvInteger,
// Cast, Mul by the product of both scales, Add.
#include "quant/emit.h"

// One DynamicQuantizeLinear for all that read the value.
static oq_status quantize(oq_emitter *e, oq_value_id value, oq_error *err) {
    const oq_shape scalar = {.rank = 0};
    oq_value_id parts[3];
    oq_node *node;
    if (e->quantized[value] != OQ_NONE) return ONNXQ_OK;
    OQ_TRY(oq_emit_value(e, value, "_quantized", ONNXQ_UINT8, &parts[0], err));
    OQ_TRY(oq_emit_shaped(e, value, "_scale", ONNXQ_FLOAT, &scalar, &parts[1], err));
    OQ_TRY(oq_emit_shaped(e, value, "_zero_point", ONNXQ_UINT8, &scalar, &parts[2], err));
    OQ_TRY(oq_graph_add_node(e->graph, "", "DynamicQuantizeLinear", "", &value, 1, parts, 3, &node, err));
    e->quantized[value] = parts[0];
    e->scale[value] = parts[1];
    e->zero[value] = parts[2];
    return ONNXQ_OK;
}

// A vector along the channels of a convolution's result, [M, 1, ..].
static oq_shape along_channels(const oq_weight *w, size_t count) {
    oq_shape shape = {.rank = w->shape.rank - 1};
    for (int i = 0; i < shape.rank; i++) shape.dim[i] = i ? 1 : (int64_t)count;
    return shape;
}

// The scales of the weights, shaped for the product.
static oq_status weight_scale(oq_emitter *e, const oq_layer *layer, oq_value_id *out, oq_error *err) {
    const oq_weight *w = layer->operand[1].weight;
    oq_value_id zero;
    if (layer->shape != OQ_LAYER_CONV || !w->per_channel)
        return oq_emit_operand_params(e, &layer->operand[1], out, &zero, err);
    const oq_shape shape = along_channels(w, w->outputs);
    float *scale = oq_mem_calloc(e->plan->mem, w->outputs + 1, sizeof *scale, err);
    if (!scale) return ONNXQ_NO_MEMORY;
    for (size_t c = 0; c < w->outputs; c++) scale[c] = w->params[c].scale;
    const oq_status status = oq_emit_floats(e, w->value, "_scale", scale, &shape, out, err);
    oq_mem_free(e->plan->mem, scale);
    e->written[e->layer].scale = *out;
    return status;
}

static oq_status addend_of(oq_emitter *e, const oq_layer *layer, oq_value_id *out, oq_error *err) {
    *out = OQ_NONE;
    if (layer->addend == OQ_NONE || layer->beta == 0) return ONNXQ_OK;
    if (layer->shape != OQ_LAYER_CONV) return oq_emit_addend(e, layer, out, err);
    const oq_shape shape = along_channels(layer->operand[1].weight, layer->bias_count);
    return oq_emit_floats(e, layer->addend, "_reshaped", layer->bias, &shape, out, err);
}

// The sums as a new int32 value. Zero points of weights that are all 0 are left out.
static oq_status emit_sums(oq_emitter *e, const oq_layer *layer, const oq_value_id in[4], oq_value_id *sums,
                           oq_error *err) {
    const oq_node *node = oq_graph_node(e->graph, layer->node);
    const bool convolves = layer->shape == OQ_LAYER_CONV;
    oq_node *made;
    OQ_TRY(oq_emit_value(e, layer->product, "_int32", ONNXQ_INT32, sums, err));
    OQ_TRY(
        oq_emit_node(e, node->name, convolves ? "ConvInteger" : "MatMulInteger", in, 4, *sums, &made, err));
    if (!convolves) return ONNXQ_OK;
    made->attrs = node->attrs; // Conv's own, to the letter
    made->attr_count = node->attr_count;
    return ONNXQ_OK;
}

oq_status oq_emit_dynamic(oq_emitter *e, const oq_layer *layer, oq_error *err) {
    const oq_value_id x = layer->operand[0].value;
    oq_value_id in[4], sums, cast, scale[2], factor, product = layer->output, addend;
    oq_node *node;
    OQ_TRY(quantize(e, x, err));
    for (int i = 0; i < 2; i++) {
        OQ_TRY(oq_emit_operand(e, layer, i, &in[i], err));
        OQ_TRY(oq_emit_zero(e, &layer->operand[i], &in[2 + i], err));
    }
    OQ_TRY(weight_scale(e, layer, &scale[1], err));
    OQ_TRY(addend_of(e, layer, &addend, err));
    scale[0] = e->scale[x];
    oq_emit_remove(e, layer);
    OQ_TRY(emit_sums(e, layer, in, &sums, err));
    OQ_TRY(oq_emit_value(e, layer->product, "_cast", ONNXQ_FLOAT, &cast, err));
    OQ_TRY(oq_emit_node(e, "", "Cast", &sums, 1, cast, &node, err));
    OQ_TRY(oq_node_set_int(e->graph, node, "to", ONNXQ_FLOAT, err));
    OQ_TRY(oq_emit_value(e, scale[1], "_product", ONNXQ_FLOAT, &factor, err));
    OQ_TRY(oq_emit_node(e, "", "Mul", scale, 2, factor, NULL, err));
    if (addend != OQ_NONE) OQ_TRY(oq_emit_value(e, layer->product, "_product", ONNXQ_FLOAT, &product, err));
    OQ_TRY(oq_emit_node(e, "", "Mul", (oq_value_id[]){cast, factor}, 2, product, NULL, err));
    if (addend == OQ_NONE) return ONNXQ_OK;
    return oq_emit_node(e, "", "Add", (oq_value_id[]){product, addend}, 2, layer->output, NULL, err);
}
