// Float operators between DequantizeLinear and QuantizeLinear, in the forms that runtimes fuse into integer
// kernels.
#include "quant/emit.h"

#include <float.h>
#include <math.h>

// DequantizeLinear of `from`; `axis` -1: one scale.
static oq_status dequantize(oq_emitter *e, oq_value_id from, oq_value_id scale, oq_value_id zero, int axis,
                            oq_value_id to, oq_error *err) {
    oq_node *node;
    OQ_TRY(oq_emit_node(e, "", "DequantizeLinear", (oq_value_id[]){from, scale, zero}, 3, to, &node, err));
    return axis >= 0 ? oq_node_set_int(e->graph, node, "axis", axis, err) : ONNXQ_OK;
}

// Weights in groups; those of a convolution get their shape back. So do matrices of 8-bit types, to no other
// effect than that a node stands between: ONNX Runtime 1.31 would join DequantizeLinear and MatMul to its
// MatMulIntegerToFloat without a look at the blocks, and fail.
static oq_status dequantize_groups(oq_emitter *e, const oq_layer *layer, const oq_operand *operand,
                                   const oq_emitted_weight *own, oq_value_id *out, oq_error *err) {
    const oq_weight *w = operand->weight;
    const bool kernels = layer->shape == OQ_LAYER_CONV;
    const oq_shape *shape = kernels ? &operand->constant->shape : &w->shape, rank = OQ_SHAPE(shape->rank);
    const bool reshape = kernels || oq_dtype_info(oq_graph_value(e->graph, own->q)->type.dtype)->bits == 8;
    const oq_granularity granularity = {
        .kind = OQ_PER_GROUP, .axis = w->axis, .group_size = (int64_t)w->group};
    oq_value_id in[2];
    OQ_TRY(oq_emit_shaped(e, operand->value, reshape ? "_flat" : "_dequantized", ONNXQ_FLOAT, &w->shape, out,
                          err));
    OQ_TRY(oq_emit_dequantize(e, &granularity, (oq_value_id[]){own->q, own->scale, own->zero}, *out, err));
    if (!reshape) return ONNXQ_OK;
    in[0] = *out;
    OQ_TRY(oq_emit_integers(e, operand->value, "_shape", ONNXQ_INT64, shape->dim, &rank, &in[1], err));
    OQ_TRY(oq_emit_shaped(e, operand->value, "_dequantized", ONNXQ_FLOAT, shape, out, err));
    return oq_emit_node(e, "", "Reshape", in, 2, *out, NULL, err);
}

static oq_status operand_float(oq_emitter *e, const oq_layer *layer, int index, oq_value_id *out,
                               oq_error *err) {
    const oq_operand *operand = &layer->operand[index];
    if (!operand->weight && !operand->transposed && !(index == 0 && oq_emit_padded_channels(e, layer)))
        return oq_emit_dequantized(e, operand->value, out, err);
    oq_emitted_weight *own = NULL;
    oq_value_id q, scale, zero;
    OQ_TRY(oq_emit_operand(e, layer, index, &q, err));
    OQ_TRY(oq_emit_operand_params(e, operand, &scale, &zero, err));
    if (operand->weight) OQ_TRY(oq_emit_weight(e, operand->weight, &own, err));
    if (own && own->dequantized != OQ_NONE) {
        *out = own->dequantized;
        return ONNXQ_OK;
    }
    if (own && operand->weight->group) {
        OQ_TRY(dequantize_groups(e, layer, operand, own, out, err));
        own->dequantized = *out;
        return ONNXQ_OK;
    }
    const oq_shape shape = own ? oq_emitted_shape(operand->weight, own) : (oq_shape){.rank = 0};
    if (own)
        OQ_TRY(oq_emit_shaped(e, operand->value, "_dequantized", ONNXQ_FLOAT, &shape, out, err));
    else
        OQ_TRY(oq_emit_value(e, q, "_dequantized", ONNXQ_FLOAT, out, err));
    if (own) own->dequantized = *out;
    return dequantize(e, q, scale, zero, own ? operand->weight->axis : -1, *out, err);
}

// The int32 bias: s_x * s_w, zero point 0 (left out, as it may be for int32).
static oq_status bias_float(oq_emitter *e, const oq_layer *layer, oq_value_id *out, oq_error *err) {
    oq_value_id q, scale;
    OQ_TRY(oq_emit_bias(e, layer, &q, &scale, err));
    const oq_shape shape = OQ_SHAPE((int64_t)oq_emit_outputs(e, layer));
    const bool named = layer->addend != OQ_NONE;
    OQ_TRY(oq_emit_shaped(e, named ? layer->addend : layer->product,
                          named ? "_dequantized" : "_bias_dequantized", ONNXQ_FLOAT, &shape, out, err));
    return dequantize(e, q, scale, OQ_NONE, layer->operand[1].weight->per_channel ? 0 : -1, *out, err);
}

// The bias of a convolution wider than 8 bits, as int32 with a scale of its own and 30 bits. ONNX Runtime
// makes float biases between Q/DQ int32 with the scale s_x * s_w, which at 15 and 16 bits is too small for
// them: they would be cut off.
static oq_status wide_bias(oq_emitter *e, const oq_layer *layer, oq_value_id *out, oq_error *err) {
    const oq_shape scalar = {.rank = 0}, shape = OQ_SHAPE((int64_t)layer->bias_count);
    const oq_value_id base = layer->addend != OQ_NONE ? layer->addend : layer->product;
    oq_mem *mem = e->graph->model->mem;
    oq_value_id q, scale;
    float most = 0;
    int64_t *numbers = oq_mem_calloc(mem, layer->bias_count + 1, sizeof *numbers, err);
    if (!numbers) return ONNXQ_NO_MEMORY;
    for (size_t c = 0; c < layer->bias_count; c++) most = fmaxf(most, fabsf(layer->bias[c]));
    const float s = fmaxf(most * 0x1p-30f, FLT_MIN);
    for (size_t c = 0; c < layer->bias_count; c++) numbers[c] = llrint((double)layer->bias[c] / (double)s);
    const oq_status status = oq_emit_integers(e, base, "_wide_bias", ONNXQ_INT32, numbers, &shape, &q, err);
    oq_mem_free(mem, numbers);
    if (status != ONNXQ_OK) return status;
    OQ_TRY(oq_emit_floats(e, base, "_wide_bias_scale", &s, &scalar, &scale, err));
    OQ_TRY(oq_emit_shaped(e, base, "_wide_bias_dequantized", ONNXQ_FLOAT, &shape, out, err));
    return dequantize(e, q, scale, OQ_NONE, -1, *out, err);
}

// The float value that the layer's last node makes: its output itself, or what QuantizeLinear stands behind.
static oq_status result_of(oq_emitter *e, const oq_layer *layer, oq_value_id *out, oq_error *err) {
    *out = layer->output;
    return layer->integer ? oq_emit_value(e, layer->output, "_float", ONNXQ_FLOAT, out, err) : ONNXQ_OK;
}

static oq_status finish(oq_emitter *e, const oq_layer *layer, oq_value_id result, oq_error *err) {
    return layer->integer ? oq_emit_requantized(e, result, layer->output, err) : ONNXQ_OK;
}

static oq_status emit_conv(oq_emitter *e, const oq_layer *layer, oq_error *err) {
    const oq_node *node = oq_graph_node(e->graph, layer->node);
    oq_value_id in[3] = {OQ_NONE, OQ_NONE, OQ_NONE}, result;
    OQ_TRY(operand_float(e, layer, 0, &in[0], err));
    OQ_TRY(operand_float(e, layer, 1, &in[1], err));
    if (layer->integer_bias)
        OQ_TRY(bias_float(e, layer, &in[2], err));
    else if (layer->vector)
        OQ_TRY(wide_bias(e, layer, &in[2], err));
    oq_emit_remove(e, layer);
    OQ_TRY(result_of(e, layer, &result, err));
    oq_node *made;
    OQ_TRY(oq_emit_node(e, node->name, "Conv", in, 3, result, &made, err));
    OQ_TRY(oq_emit_conv_attributes(e, layer, made, err));
    return finish(e, layer, result, err);
}

// With an int32 bias: Gemm, which runtimes run in integers.
static oq_status emit_gemm(oq_emitter *e, const oq_layer *layer, oq_error *err) {
    const char *name = oq_graph_node(e->graph, layer->node)->name;
    oq_value_id in[3], result;
    OQ_TRY(operand_float(e, layer, 0, &in[0], err));
    OQ_TRY(operand_float(e, layer, 1, &in[1], err));
    OQ_TRY(bias_float(e, layer, &in[2], err));
    oq_emit_remove(e, layer);
    OQ_TRY(result_of(e, layer, &result, err));
    OQ_TRY(oq_emit_node(e, name, "Gemm", in, 3, result, NULL, err));
    return finish(e, layer, result, err);
}

// ONNX Runtime makes MatMul and the Add of a vector a float Gemm where all sizes are known, whatever stands
// before it; with the vector as a row it keeps the MatMul, which it then runs in integers.
static oq_status emit_row(oq_emitter *e, const oq_layer *layer, oq_value_id *out, oq_error *err) {
    const oq_type *type = &oq_graph_value(e->graph, layer->operand[0].value)->type;
    const oq_shape row = OQ_SHAPE(1, (int64_t)layer->bias_count);
    oq_shape known;
    if (!layer->vector || layer->operand[0].constant || !oq_type_static(type, &known) || known.rank < 3)
        return oq_emit_addend(e, layer, out, err);
    return oq_emit_floats(e, layer->addend, "_row", layer->bias, &row, out, err);
}

// MatMul, Mul by an alpha that no constant could take, Add of what is not an int32 bias: each into a value of
// its own but the last, which makes the result.
static oq_status emit_matmul(oq_emitter *e, const oq_layer *layer, oq_error *err) {
    const char *name = oq_graph_node(e->graph, layer->node)->name;
    const bool weighted = layer->operand[0].weight || layer->operand[1].weight;
    const bool scales = !weighted && layer->alpha != 1, adds = layer->addend != OQ_NONE && layer->beta != 0;
    const float alpha = (float)layer->alpha;
    const oq_shape scalar = {.rank = 0};
    oq_value_id in[2], result, factor = OQ_NONE, addend = OQ_NONE, product, scaled;
    OQ_TRY(operand_float(e, layer, 0, &in[0], err));
    OQ_TRY(operand_float(e, layer, 1, &in[1], err));
    if (scales) OQ_TRY(oq_emit_floats(e, layer->product, "_alpha", &alpha, &scalar, &factor, err));
    if (adds) OQ_TRY(emit_row(e, layer, &addend, err));
    oq_emit_remove(e, layer);
    OQ_TRY(result_of(e, layer, &result, err));
    product = scaled = result;
    if (adds) OQ_TRY(oq_emit_value(e, layer->product, "_product", ONNXQ_FLOAT, &scaled, err));
    product = scaled;
    if (scales) OQ_TRY(oq_emit_value(e, layer->product, "_unscaled", ONNXQ_FLOAT, &product, err));
    OQ_TRY(oq_emit_node(e, name, "MatMul", in, 2, product, NULL, err));
    if (scales) OQ_TRY(oq_emit_node(e, "", "Mul", (oq_value_id[]){product, factor}, 2, scaled, NULL, err));
    if (adds) OQ_TRY(oq_emit_node(e, "", "Add", (oq_value_id[]){scaled, addend}, 2, result, NULL, err));
    return finish(e, layer, result, err);
}

oq_status oq_emit_qdq(oq_emitter *e, const oq_layer *layer, oq_error *err) {
    if (layer->shape == OQ_LAYER_CONV) return emit_conv(e, layer, err);
    return layer->integer_bias ? emit_gemm(e, layer, err) : emit_matmul(e, layer, err);
}
