// Operands of a layer as graph objects: integers, scales, zero points, biases, addends.
#include "quant/emit.h"

#include <math.h>

oq_shape oq_weight_params_shape(const oq_weight *w) {
    oq_shape shape = {.rank = 0};
    if (!w->per_channel) return shape;
    if (w->group) {
        shape = w->shape;
        shape.dim[w->axis] = (int64_t)oq_weight_groups(w);
        return shape;
    }
    if (w->axis >= 0) return OQ_SHAPE((int64_t)w->outputs);
    shape = w->shape;
    shape.dim[shape.rank - 2] = 1;
    return shape;
}

// Whether a Cast stands before DequantizeLinear: see emit_bytes. Groups are computed in float anyway, and 4
// bits have kernels of their own there.
static bool reads_bytes(const oq_weight *w) {
    return oq_dtype_is_sub_byte(w->carrier) && !(w->group && oq_dtype_info(w->carrier)->bits == 4);
}

static oq_status emit_weight_params(oq_emitter *e, const oq_weight *w, oq_emitted_weight *out,
                                    oq_error *err) {
    const size_t own = oq_weight_params(w), count = own + (w->per_channel ? (size_t)out->more_rows : 0);
    oq_shape shape = oq_weight_params_shape(w);
    if (count > own) shape = OQ_SHAPE((int64_t)count);
    const oq_dtype type = reads_bytes(w) ? oq_dtype_byte_wide(w->carrier) : w->carrier;
    oq_mem *mem = e->plan->mem;
    float *scale = oq_mem_calloc(mem, count + 1, sizeof *scale, err);
    int64_t *zero = oq_mem_calloc(mem, count + 1, sizeof *zero, err);
    oq_status status = scale && zero ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    if (status == ONNXQ_OK) {
        for (size_t c = 0; c < count; c++)
            scale[c] = oq_weight_scale(w, c < own ? c : 0), zero[c] = w->params[c < own ? c : 0].zero_point;
        status = oq_emit_floats(e, w->value, "_scale", scale, &shape, &out->scale, err);
    }
    if (status == ONNXQ_OK)
        status = oq_emit_integers(e, w->value, "_zero_point", type, zero, &shape, &out->zero, err);
    oq_mem_free(mem, scale);
    oq_mem_free(mem, zero);
    return status;
}

static size_t index_of(const oq_plan *plan, const oq_weight *weight) {
    size_t i = 0;
    while (plan->weights[i] != weight) i++;
    return i;
}

// 4- and 2-bit integers as bytes. Runtimes fold the Cast into the constant when they load the model and then
// use 8-bit kernels; ONNX Runtime 1.31 computes in float where DequantizeLinear reads 4-bit integers, and
// refuses 2-bit ones once it has fused them.
static oq_status emit_bytes(oq_emitter *e, const oq_weight *weight, const oq_shape *shape,
                            oq_emitted_weight *own, oq_error *err) {
    const oq_dtype wide = oq_dtype_byte_wide(weight->carrier);
    oq_value_id bytes;
    oq_node *node;
    OQ_TRY(oq_emit_shaped(e, weight->value, "_bytes", wide, shape, &bytes, err));
    OQ_TRY(oq_emit_node(e, "", "Cast", &own->q, 1, bytes, &node, err));
    own->q = bytes;
    return oq_node_set_int(e->graph, node, "to", wide, err);
}

oq_status oq_emit_weight_integers(oq_emitter *e, const oq_weight *weight, oq_tensor integers,
                                  oq_emitted_weight *out, oq_error *err) {
    const oq_shape shape = integers.shape;
    const char *name = oq_arena_printf(&e->graph->model->arena, err, "%s_quantized",
                                       oq_graph_value(e->graph, weight->value)->name);
    if (!name) {
        oq_tensor_release(&integers);
        return ONNXQ_NO_MEMORY;
    }
    OQ_TRY(oq_graph_add_initializer(e->graph, name, integers, &out->stored, err));
    out->q = out->stored;
    if (reads_bytes(weight)) OQ_TRY(emit_bytes(e, weight, &shape, out, err));
    OQ_TRY(emit_weight_params(e, weight, out, err));
    e->written[e->layer] = *out;
    return ONNXQ_OK;
}

oq_status oq_emit_dequantize(oq_emitter *e, const oq_granularity *granularity, const oq_value_id in[3],
                             oq_value_id out, oq_error *err) {
    oq_node *node;
    OQ_TRY(oq_emit_node(e, "", "DequantizeLinear", in, 3, out, &node, err));
    if (granularity->kind == OQ_PER_TENSOR) return ONNXQ_OK;
    OQ_TRY(oq_node_set_int(e->graph, node, "axis", granularity->axis, err));
    if (granularity->kind == OQ_PER_CHANNEL) return ONNXQ_OK;
    return oq_node_set_int(e->graph, node, "block_size", granularity->group_size, err);
}

oq_status oq_emit_weight(oq_emitter *e, const oq_weight *weight, oq_emitted_weight **out, oq_error *err) {
    oq_emitted_weight *own = *out = &e->weights[index_of(e->plan, weight)];
    oq_tensor integers;
    if (own->q != OQ_NONE) {
        e->written[e->layer] = *own;
        return ONNXQ_OK;
    }
    OQ_TRY(oq_emit_widened(e, weight, own, &integers, err));
    return oq_emit_weight_integers(e, weight, integers, own, err);
}

oq_status oq_emit_operand(oq_emitter *e, const oq_layer *layer, int index, oq_value_id *out, oq_error *err) {
    const oq_operand *operand = &layer->operand[index];
    if (operand->weight) {
        oq_emitted_weight *own;
        OQ_TRY(oq_emit_weight(e, operand->weight, &own, err));
        *out = own->q;
        return ONNXQ_OK;
    }
    oq_value_id q;
    OQ_TRY(oq_emit_quantized(e, operand->value, &q, err));
    *out = q;
    if (index == 0) OQ_TRY(oq_emit_channel_pad(e, layer, out, err));
    if (!operand->transposed) return ONNXQ_OK;
    oq_node *node;
    OQ_TRY(
        oq_emit_value(e, operand->value, "_transposed", e->plan->tensors[operand->value].carrier, out, err));
    oq_type *type = &oq_graph_value(e->graph, *out)->type;
    if (type->kind == OQ_TYPE_TENSOR && type->rank == 2) {
        const oq_dim first = type->dim[0];
        type->dim[0] = type->dim[1], type->dim[1] = first;
    }
    OQ_TRY(oq_emit_node(e, "", "Transpose", &q, 1, *out, &node, err));
    return oq_node_set_ints(e->graph, node, "perm", (int64_t[]){1, 0}, 2, err);
}

oq_status oq_emit_operand_params(oq_emitter *e, const oq_operand *operand, oq_value_id *scale,
                                 oq_value_id *zero, oq_error *err) {
    if (!operand->weight) return oq_emit_params(e, operand->value, scale, zero, err);
    oq_emitted_weight *own;
    OQ_TRY(oq_emit_weight(e, operand->weight, &own, err));
    *scale = own->scale;
    *zero = own->zero;
    return ONNXQ_OK;
}

// A bias that the float model does not have is named after the product.
static oq_status emit_bias_integers(oq_emitter *e, const oq_layer *layer, const int64_t *q,
                                    const oq_shape *shape, oq_value_id *out, oq_error *err) {
    const bool named = layer->addend != OQ_NONE;
    return oq_emit_integers(e, named ? layer->addend : layer->product,
                            named ? "_quantized" : "_bias_quantized", ONNXQ_INT32, q, shape, out, err);
}

oq_status oq_emit_bias(oq_emitter *e, const oq_layer *layer, oq_value_id *bias, oq_value_id *scale,
                       oq_error *err) {
    const bool named = layer->addend != OQ_NONE;
    const oq_weight *w = layer->operand[1].weight;
    const float sx = e->plan->tensors[layer->operand[0].value].params[0].scale;
    const size_t count = oq_emit_outputs(e, layer);
    const oq_shape shape = OQ_SHAPE((int64_t)count), own = w->per_channel ? shape : (oq_shape){.rank = 0};
    oq_mem *mem = e->plan->mem;
    int64_t *q = oq_mem_calloc(mem, count + 1, sizeof *q, err);
    float *s = oq_mem_calloc(mem, count + 1, sizeof *s, err);
    oq_status status = q && s ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    if (status == ONNXQ_OK) {
        for (size_t c = 0; c < count; c++) {
            const bool is_new = c >= layer->bias_count; // a zero channel
            s[c] = sx * oq_weight_scale(w, w->per_channel && !is_new ? c : 0);
            if (is_new) continue;
            // The planner made sure that it fits beside the accumulator.
            const double whole = (double)layer->bias[c] + oq_plan_zero_shift(e->plan, layer, c);
            q[c] = (int64_t)rint((w->factor ? whole * (double)w->factor[c] : whole) / (double)s[c]);
        }
        status = emit_bias_integers(e, layer, q, &shape, bias, err);
    }
    if (status == ONNXQ_OK && scale)
        status = oq_emit_floats(e, named ? layer->addend : layer->product, named ? "_scale" : "_bias_scale",
                                s, &own, scale, err);
    oq_mem_free(mem, q);
    oq_mem_free(mem, s);
    return status;
}

oq_status oq_emit_addend(oq_emitter *e, const oq_layer *layer, oq_value_id *out, oq_error *err) {
    const bool named = layer->addend != OQ_NONE; // a correction may have given a convolution a bias
    *out = layer->addend;
    if (oq_layer_bias_edited(layer)) {
        const oq_shape shape = OQ_SHAPE((int64_t)layer->bias_count);
        return oq_emit_floats(e, named ? layer->addend : layer->product,
                              named ? "_corrected" : "_bias_corrected", layer->bias, &shape, out, err);
    }
    if (layer->beta == 1) return ONNXQ_OK;
    const oq_constant *constant = oq_graph_constant(e->graph, layer->addend);
    const float beta = (float)layer->beta;
    if (!constant) {
        oq_value_id inputs[2] = {layer->addend};
        const oq_shape scalar = {.rank = 0};
        OQ_TRY(oq_emit_floats(e, layer->addend, "_beta", &beta, &scalar, &inputs[1], err));
        OQ_TRY(oq_emit_value(e, layer->addend, "_scaled", ONNXQ_FLOAT, out, err));
        return oq_emit_node(e, "", "Mul", inputs, 2, *out, NULL, err);
    }
    oq_tensor from = {0}, to = {0};
    OQ_TRY(oq_constant_load(e->plan->mem, constant, &from, err));
    const oq_status status = oq_tensor_new(e->graph->model->mem, ONNXQ_FLOAT, &from.shape, &to, err);
    for (int64_t i = 0; status == ONNXQ_OK && i < oq_tensor_count(&from); i++)
        ((float *)to.data)[i] = beta * ((const float *)from.data)[i];
    oq_tensor_release(&from);
    OQ_TRY(status);
    return oq_graph_add_initializer(e->graph, oq_graph_value(e->graph, layer->addend)->name, to, out, err);
}

void oq_emit_remove(oq_emitter *e, const oq_layer *layer) {
    const oq_node_id nodes[3] = {layer->clip_node, layer->bias_node, layer->node};
    for (int i = 0; i < 3; i++)
        if (nodes[i] != OQ_NONE) oq_graph_remove_node(e->graph, oq_graph_node(e->graph, nodes[i]));
}
