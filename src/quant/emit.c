// Writes a plan into the graph: the walk over the nodes, integer values, passthrough nodes, the last
// DequantizeLinear.
#include "quant/emit.h"

#include <stdio.h>
#include <string.h>

// --- values and nodes ---

static const char *name_of(const oq_emitter *e, oq_value_id value) {
    return oq_graph_value(e->graph, value)->name;
}

// `<name of value><suffix>` in the model's arena.
static const char *joined(oq_emitter *e, oq_value_id value, const char *suffix, oq_error *err) {
    return oq_arena_printf(&e->graph->model->arena, err, "%s%s", name_of(e, value), suffix);
}

oq_status oq_emit_value(oq_emitter *e, oq_value_id like, const char *suffix, oq_dtype dtype, oq_value_id *out,
                        oq_error *err) {
    const char *base = joined(e, like, suffix, err), *name;
    if (!base) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_unique_name(e->graph, base, &name, err));
    OQ_TRY(oq_graph_add_value(e->graph, name, out, err));
    const oq_type *type = &oq_graph_value(e->graph, like)->type;
    if (type->kind != OQ_TYPE_TENSOR) return ONNXQ_OK;
    oq_graph_value(e->graph, *out)->type = *type;
    oq_graph_value(e->graph, *out)->type.dtype = dtype;
    return ONNXQ_OK;
}

oq_status oq_emit_shaped(oq_emitter *e, oq_value_id base, const char *suffix, oq_dtype dtype,
                         const oq_shape *shape, oq_value_id *out, oq_error *err) {
    OQ_TRY(oq_emit_value(e, base, suffix, dtype, out, err));
    oq_type *type = &oq_graph_value(e->graph, *out)->type;
    *type = oq_type_tensor(dtype, shape->rank, NULL);
    for (int i = 0; i < shape->rank; i++) type->dim[i] = oq_dim_of(shape->dim[i]);
    return ONNXQ_OK;
}

oq_status oq_emit_node(oq_emitter *e, const char *name, const char *op_type, const oq_value_id *inputs,
                       size_t count, oq_value_id output, oq_node **out, oq_error *err) {
    oq_node *ignored;
    while (count && inputs[count - 1] == OQ_NONE) count--;
    return oq_graph_add_node(e->graph, name, op_type, "", inputs, count, &output, 1, out ? out : &ignored,
                             err);
}

static oq_status add_tensor(oq_emitter *e, oq_value_id base, const char *suffix, oq_tensor tensor,
                            oq_value_id *out, oq_error *err) {
    const char *name = joined(e, base, suffix, err);
    if (!name) {
        oq_tensor_release(&tensor);
        return ONNXQ_NO_MEMORY;
    }
    return oq_graph_add_initializer(e->graph, name, tensor, out, err);
}

oq_status oq_emit_floats(oq_emitter *e, oq_value_id base, const char *suffix, const float *numbers,
                         const oq_shape *shape, oq_value_id *out, oq_error *err) {
    oq_tensor tensor = {0};
    OQ_TRY(oq_tensor_new(e->graph->model->mem, ONNXQ_FLOAT, shape, &tensor, err));
    memcpy(tensor.data, numbers, (size_t)oq_shape_count(shape) * sizeof *numbers);
    return add_tensor(e, base, suffix, tensor, out, err);
}

oq_status oq_emit_integers(oq_emitter *e, oq_value_id base, const char *suffix, oq_dtype dtype,
                           const int64_t *numbers, const oq_shape *shape, oq_value_id *out, oq_error *err) {
    oq_tensor tensor = {0};
    OQ_TRY(oq_tensor_new(e->graph->model->mem, dtype, shape, &tensor, err));
    oq_store_i64(dtype, numbers, tensor.data, (size_t)oq_shape_count(shape));
    return add_tensor(e, base, suffix, tensor, out, err);
}

// --- quantized values ---

oq_status oq_emit_params(oq_emitter *e, oq_value_id value, oq_value_id *scale, oq_value_id *zero,
                         oq_error *err) {
    const oq_value_id leader = oq_plan_leader(e->plan, value);
    if (e->scale[leader] == OQ_NONE) {
        const oq_tensor_plan *tensor = &e->plan->tensors[leader];
        const int64_t zero_point = tensor->made.zero_point;
        const oq_shape scalar = {.rank = 0};
        OQ_TRY(oq_emit_floats(e, leader, "_scale", &tensor->made.scale, &scalar, &e->scale[leader], err));
        OQ_TRY(oq_emit_integers(e, leader, "_zero_point", tensor->carrier, &zero_point, &scalar,
                                &e->zero[leader], err));
    }
    *scale = e->scale[leader];
    *zero = e->zero[leader];
    return ONNXQ_OK;
}

// Scales and zero points per channel, which DequantizeLinear alone reads.
static oq_status emit_channel_params(oq_emitter *e, oq_value_id leader, oq_error *err) {
    const oq_tensor_plan *tensor = &e->plan->tensors[leader];
    const size_t count = tensor->channels + (size_t)e->more[leader];
    const oq_shape shape = OQ_SHAPE((int64_t)count);
    oq_mem *mem = e->plan->mem;
    float *scale = oq_mem_calloc(mem, count, sizeof *scale, err);
    int64_t *zero = oq_mem_calloc(mem, count, sizeof *zero, err);
    oq_status status = scale && zero ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    for (size_t c = 0; status == ONNXQ_OK && c < count; c++) {
        const oq_qparam own = tensor->params[c < tensor->channels ? c : 0];
        scale[c] = own.scale, zero[c] = own.zero_point;
    }
    if (status == ONNXQ_OK)
        status = oq_emit_floats(e, leader, "_channel_scale", scale, &shape, &e->channel_scale[leader], err);
    if (status == ONNXQ_OK)
        status = oq_emit_integers(e, leader, "_channel_zero_point", tensor->carrier, zero, &shape,
                                  &e->channel_zero[leader], err);
    oq_mem_free(mem, scale);
    oq_mem_free(mem, zero);
    return status;
}

// DequantizeLinear of integers with parameters per channel.
static oq_status dequantize_channels(oq_emitter *e, const char *name, oq_value_id value, oq_value_id from,
                                     oq_error *err) {
    const oq_value_id leader = oq_plan_leader(e->plan, value);
    oq_node *node;
    if (e->channel_scale[leader] == OQ_NONE) OQ_TRY(emit_channel_params(e, leader, err));
    const oq_value_id inputs[3] = {from, e->channel_scale[leader], e->channel_zero[leader]};
    OQ_TRY(oq_emit_node(e, name, "DequantizeLinear", inputs, 3, value, &node, err));
    return oq_node_set_int(e->graph, node, "axis", e->plan->tensors[value].axis, err);
}

// QuantizeLinear or DequantizeLinear between `from` and `to` with the parameters of `value`.
static oq_status convert(oq_emitter *e, const char *op_type, oq_value_id value, oq_value_id from,
                         oq_value_id to, oq_error *err) {
    oq_value_id inputs[3] = {from};
    OQ_TRY(oq_emit_params(e, value, &inputs[1], &inputs[2], err));
    const char *name = oq_arena_printf(&e->graph->model->arena, err, "%s_%s", name_of(e, value), op_type);
    if (!name) return ONNXQ_NO_MEMORY;
    return oq_emit_node(e, name, op_type, inputs, 3, to, NULL, err);
}

// --- clips ---

// From `from` to `to`, integers of `value` that may lie outside of its grid.
static oq_status clip_integers(oq_emitter *e, oq_value_id value, oq_value_id from, oq_value_id to,
                               oq_error *err) {
    const oq_tensor_plan *tensor = &e->plan->tensors[value];
    const int64_t bounds[2] = {tensor->grid.qmin, tensor->grid.qmax};
    const oq_shape scalar = {.rank = 0};
    oq_value_id *clip = e->clip[tensor->grid.bits];
    for (int i = 0; i < 2; i++)
        if (clip[i] == OQ_NONE)
            OQ_TRY(oq_emit_integers(e, value, i ? "_greatest" : "_least", tensor->carrier, &bounds[i],
                                    &scalar, &clip[i], err));
    return oq_emit_node(e, "", "Clip", (oq_value_id[]){from, clip[0], clip[1]}, 3, to, NULL, err);
}

// Float numbers that quantize to the grid's ends, for carriers that Clip does not take in every runtime. The
// products divide back to the same whole numbers.
static oq_status clip_floats(oq_emitter *e, oq_value_id value, oq_value_id from, oq_value_id to,
                             oq_error *err) {
    const oq_tensor_plan *tensor = &e->plan->tensors[value];
    const float low = oq_dequantize_one(tensor->params[0], tensor->grid.qmin),
                high = oq_dequantize_one(tensor->params[0], tensor->grid.qmax);
    const oq_shape scalar = {.rank = 0};
    oq_value_id inputs[3] = {from};
    OQ_TRY(oq_emit_floats(e, value, "_least", &low, &scalar, &inputs[1], err));
    OQ_TRY(oq_emit_floats(e, value, "_greatest", &high, &scalar, &inputs[2], err));
    return oq_emit_node(e, "", "Clip", inputs, 3, to, NULL, err);
}

// The integers `to` of `value` from its float form `from`.
static oq_status quantize(oq_emitter *e, oq_value_id value, oq_value_id from, oq_value_id to, oq_error *err) {
    const oq_tensor_plan *tensor = &e->plan->tensors[value];
    oq_value_id between;
    if (!oq_plan_needs_clip(e->plan, value)) return convert(e, "QuantizeLinear", value, from, to, err);
    if (tensor->grid.bits > 8) {
        OQ_TRY(oq_emit_value(e, value, "_clipped", ONNXQ_FLOAT, &between, err));
        OQ_TRY(clip_floats(e, value, from, between, err));
        return convert(e, "QuantizeLinear", value, between, to, err);
    }
    OQ_TRY(oq_emit_value(e, value, "_saturated", tensor->carrier, &between, err));
    OQ_TRY(convert(e, "QuantizeLinear", value, from, between, err));
    return clip_integers(e, value, between, to, err);
}

// --- integers ---

static oq_status new_quantized(oq_emitter *e, oq_value_id value, oq_error *err) {
    return oq_emit_value(e, value, "_quantized", e->plan->tensors[value].carrier, &e->quantized[value], err);
}

// What a Cast made floats of, as the integers that it was. False when it was none, or the grid is another.
static oq_status quantize_cast(oq_emitter *e, oq_value_id value, bool *done, oq_error *err) {
    const oq_tensor_plan *tensor = &e->plan->tensors[value];
    const oq_value_id source = oq_plan_cast_source(e->plan, value);
    oq_node *node;
    *done = source != OQ_NONE && tensor->made.scale == 1 && tensor->made.zero_point == 0;
    if (!*done) return ONNXQ_OK;
    if (oq_value_dtype(e->graph, source) == tensor->carrier) {
        e->quantized[value] = source;
        return ONNXQ_OK;
    }
    OQ_TRY(new_quantized(e, value, err));
    OQ_TRY(oq_emit_node(e, "", "Cast", &source, 1, e->quantized[value], &node, err));
    return oq_node_set_int(e->graph, node, "to", tensor->carrier, err);
}

oq_status oq_emit_quantized(oq_emitter *e, oq_value_id value, oq_value_id *out, oq_error *err) {
    bool done = e->quantized[value] != OQ_NONE;
    if (!done) OQ_TRY(quantize_cast(e, value, &done, err));
    if (!done) {
        OQ_TRY(new_quantized(e, value, err));
        OQ_TRY(quantize(e, value, value, e->quantized[value], err));
    }
    *out = e->quantized[value];
    return ONNXQ_OK;
}

oq_status oq_emit_replace(oq_emitter *e, oq_value_id value, oq_value_id *out, oq_error *err) {
    OQ_TRY(new_quantized(e, value, err));
    e->replaced[value] = true;
    *out = e->quantized[value];
    return ONNXQ_OK;
}

oq_status oq_emit_produced(oq_emitter *e, oq_value_id value, oq_value_id *out, oq_error *err) {
    OQ_TRY(oq_emit_replace(e, value, out, err));
    if (!oq_plan_needs_clip(e->plan, value)) return ONNXQ_OK;
    const oq_value_id to = *out;
    OQ_TRY(oq_emit_value(e, value, "_saturated", e->plan->tensors[value].carrier, out, err));
    return clip_integers(e, value, *out, to, err);
}

oq_status oq_emit_requantized(oq_emitter *e, oq_value_id from, oq_value_id value, oq_error *err) {
    oq_value_id to;
    OQ_TRY(oq_emit_replace(e, value, &to, err));
    return quantize(e, value, from, to, err);
}

oq_status oq_emit_dequantized(oq_emitter *e, oq_value_id value, oq_value_id *out, oq_error *err) {
    *out = value; // replaced values get their DequantizeLinear at the end, under their own name
    if (e->replaced[value]) return ONNXQ_OK;
    if (e->dequantized[value] == OQ_NONE) {
        oq_value_id from;
        OQ_TRY(oq_emit_quantized(e, value, &from, err));
        OQ_TRY(oq_emit_value(e, value, "_dequantized", ONNXQ_FLOAT, &e->dequantized[value], err));
        OQ_TRY(convert(e, "DequantizeLinear", value, from, e->dequantized[value], err));
    }
    *out = e->dequantized[value];
    return ONNXQ_OK;
}

// --- the walk ---

static oq_status emit_passthrough(oq_emitter *e, oq_node *node, oq_error *err) {
    const oq_rule *rule = e->plan->rules[node->id];
    const oq_tensor_plan *tensor = &e->plan->tensors[node->outputs[0]];
    const size_t count = rule->all_inputs ? node->input_count : 1;
    for (size_t i = 0; i < count; i++) {
        oq_value_id q;
        OQ_TRY(oq_emit_quantized(e, node->inputs[i], &q, err));
        OQ_TRY(oq_node_set_input(e->graph, node, i, q, err));
    }
    for (size_t i = 0; i < node->output_count; i++) {
        if (node->outputs[i] == OQ_NONE) continue;
        oq_value_id q;
        OQ_TRY(oq_emit_replace(e, node->outputs[i], &q, err));
        OQ_TRY(oq_node_set_output(e->graph, node, i, q, err));
    }
    return rule->adapt ? rule->adapt(e->graph, node, tensor, err) : ONNXQ_OK;
}

// A value that is now made as integers, under its own name.
static oq_status dequantize(oq_emitter *e, oq_value_id value, oq_error *err) {
    if (e->plan->tensors[value].axis < 0)
        return convert(e, "DequantizeLinear", value, e->quantized[value], value, err);
    const char *name =
        oq_arena_printf(&e->graph->model->arena, err, "%s_DequantizeLinear", name_of(e, value));
    return name ? dequantize_channels(e, name, value, e->quantized[value], err) : ONNXQ_NO_MEMORY;
}

// Float consumers, graph outputs and bodies that are left read a value that is now made as integers: under
// its own name, behind DequantizeLinear.
static oq_status dequantize_what_is_read(oq_emitter *e, oq_error *err) {
    for (size_t v = 0; v < e->plan->value_count; v++) {
        const oq_gvalue *value = oq_graph_value(e->graph, (oq_value_id)v);
        if (!e->replaced[v] || (!value->use_count && !value->is_output)) continue;
        OQ_TRY(dequantize(e, (oq_value_id)v, err));
    }
    return ONNXQ_OK;
}

static oq_status emit_layer(oq_emitter *e, const oq_layer *layer, oq_error *err) {
    if (e->plan->options.mode == OQ_MODE_DYNAMIC) return oq_emit_dynamic(e, layer, err);
    if (oq_layer_is_line(layer)) return oq_emit_line(e, layer, err);
    return e->plan->options.format == OQ_FORMAT_QDQ || layer->wide ? oq_emit_qdq(e, layer, err)
                                                                   : oq_emit_qoperator(e, layer, err);
}

static oq_status walk(oq_emitter *e, oq_error *err) {
    const oq_plan *plan = e->plan;
    for (size_t i = 0; i < plan->order_count; i++) {
        const oq_node_id id = plan->order[i];
        const int32_t index = plan->layer_of[id];
        if (index >= 0 && !plan->layers[index].dropped) {
            e->layer = (size_t)index;
            OQ_TRY(emit_layer(e, &plan->layers[index], err));
        } else if (plan->moving[id]) {
            OQ_TRY(emit_passthrough(e, oq_graph_node(e->graph, id), err));
        } else if (plan->computing[id]) {
            OQ_TRY(oq_emit_elementwise(e, oq_graph_node(e->graph, id), err));
        }
    }
    OQ_TRY(oq_emit_joined_scales(e, err));
    OQ_TRY(dequantize_what_is_read(e, err));
    return oq_graph_sweep(e->graph, true, err);
}

static oq_value_id *new_ids(oq_arena *arena, size_t count, oq_error *err) {
    oq_value_id *ids = oq_arena_alloc(arena, (count + 1) * sizeof *ids, err);
    for (size_t i = 0; ids && i < count; i++) ids[i] = OQ_NONE;
    return ids;
}

oq_status oq_plan_emit(oq_plan *plan, oq_graph *graph, oq_error *err) {
    if (graph->value_count != plan->value_count || graph->node_count != plan->node_count)
        return oq_fail(err, ONNXQ_INTERNAL, "the plan was made for another graph");
    oq_arena arena;
    oq_arena_init(&arena, plan->mem);
    oq_emitter e = {
        .plan = plan,
        .graph = graph,
        .quantized = new_ids(&arena, plan->value_count, err),
        .dequantized = new_ids(&arena, plan->value_count, err),
        .scale = new_ids(&arena, plan->value_count, err),
        .zero = new_ids(&arena, plan->value_count, err),
        .channel_scale = new_ids(&arena, plan->value_count, err),
        .channel_zero = new_ids(&arena, plan->value_count, err),
        .scale_made = new_ids(&arena, plan->value_count, err),
        .one = OQ_NONE,
        .scale_joined = new_ids(&arena, plan->value_count, err),
        .joined = new_ids(&arena, plan->value_count, err),
        .replaced = oq_arena_calloc(&arena, plan->value_count + 1, sizeof(bool), err),
        .weights = oq_arena_alloc(&arena, (plan->weight_count + 1) * sizeof(oq_emitted_weight), err),
        .written = oq_arena_alloc(&arena, (plan->layer_count + 1) * sizeof(oq_emitted_weight), err)};
    oq_status status = ONNXQ_NO_MEMORY;
    if (e.quantized && e.dequantized && e.scale && e.zero && e.channel_scale && e.channel_zero &&
        e.scale_made && e.scale_joined && e.joined && e.replaced && e.weights && e.written) {
        for (size_t i = 0; i < plan->weight_count; i++) e.weights[i] = OQ_EMITTED_WEIGHT_NONE;
        for (size_t i = 0; i < plan->layer_count; i++) e.written[i] = OQ_EMITTED_WEIGHT_NONE;
        memset(e.clip, -1, sizeof e.clip); // OQ_NONE
        status = oq_emit_find_channels(&e, &arena, err);
        if (status == ONNXQ_OK) status = oq_emit_find_clips(&e, &arena, err);
        if (status == ONNXQ_OK) status = walk(&e, err);
        if (status == ONNXQ_OK) status = oq_emit_note_sizes(&e, &arena, err);
        if (status == ONNXQ_OK) status = oq_emit_note_clips(&e, err);
        for (size_t i = 0; i < plan->weight_count; i++) plan->weights[i]->written = e.weights[i].stored;
    }
    oq_arena_release(&arena);
    return status;
}
