// Writes weights that are stored as integers: initializers, and DequantizeLinear in front of the node that
// reads them.
#include "quant/emit.h"
#include "quant/storage.h"

// ONNX Runtime 1.31 joins DequantizeLinear and MatMul or Gemm to one kernel, which is wrong for 2-bit
// matrices whose columns are no multiple of 4. Behind a Cast it takes its 8-bit kernel.
static bool misread_by_runtimes(const oq_stored *w) {
    const oq_shape *shape = &w->shape;
    return oq_dtype_info(w->carrier)->bits == 2 && shape->rank == 2 && shape->dim[1] % 4 != 0;
}

static oq_status emit_bytes(oq_emitter *e, const oq_stored *w, oq_value_id *q, oq_error *err) {
    const oq_dtype wide = oq_dtype_byte_wide(w->carrier);
    oq_value_id bytes;
    oq_node *node;
    OQ_TRY(oq_emit_shaped(e, w->value, "_bytes", wide, &w->shape, &bytes, err));
    OQ_TRY(oq_emit_node(e, "", "Cast", q, 1, bytes, &node, err));
    *q = bytes;
    return oq_node_set_int(e->graph, node, "to", wide, err);
}

// The type of the zero points, which is that of what DequantizeLinear reads.
static oq_dtype read_as(const oq_stored *w) {
    return misread_by_runtimes(w) ? oq_dtype_byte_wide(w->carrier) : w->carrier;
}

static oq_status emit_params(oq_emitter *e, const oq_stored *w, oq_value_id *scale, oq_value_id *zero,
                             oq_error *err) {
    const size_t count = oq_layout_params(&w->layout);
    oq_mem *mem = e->graph->model->mem;
    float *scales = oq_mem_calloc(mem, count, sizeof *scales, err);
    int64_t *zeros = oq_mem_calloc(mem, count, sizeof *zeros, err);
    oq_status status = scales && zeros ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    for (size_t p = 0; status == ONNXQ_OK && p < count; p++)
        scales[p] = w->params[p].scale, zeros[p] = w->params[p].zero_point;
    if (status == ONNXQ_OK)
        status = oq_emit_floats(e, w->value, "_scale", scales, &w->params_shape, scale, err);
    if (status == ONNXQ_OK && oq_stored_has_zeros(w))
        status = oq_emit_integers(e, w->value, "_zero_point", read_as(w), zeros, &w->params_shape, zero, err);
    oq_mem_free(mem, scales);
    oq_mem_free(mem, zeros);
    return status;
}

// DequantizeLinear of the integers `in[0]` by the scales `in[1]` and the zero points `in[2]`.
static oq_status emit_node(oq_emitter *e, const oq_stored *w, const oq_value_id *in, oq_value_id out,
                           oq_error *err) {
    oq_node *node;
    OQ_TRY(oq_emit_node(e, "", "DequantizeLinear", in, 3, out, &node, err));
    if (w->granularity.kind == OQ_PER_TENSOR) return ONNXQ_OK;
    OQ_TRY(oq_node_set_int(e->graph, node, "axis", w->granularity.axis, err));
    if (w->granularity.kind == OQ_PER_CHANNEL) return ONNXQ_OK;
    return oq_node_set_int(e->graph, node, "block_size", w->granularity.group_size, err);
}

// Back to the constant's shape.
static oq_status emit_reshaped(oq_emitter *e, const oq_stored *w, oq_value_id *value, oq_error *err) {
    const oq_shape *shape = &w->constant->shape, rank = OQ_SHAPE(shape->rank);
    oq_value_id in[2] = {*value};
    OQ_TRY(oq_emit_integers(e, w->value, "_shape", ONNXQ_INT64, shape->dim, &rank, &in[1], err));
    OQ_TRY(oq_emit_shaped(e, w->value, "_dequantized", ONNXQ_FLOAT, shape, value, err));
    return oq_emit_node(e, "", "Reshape", in, 2, *value, NULL, err);
}

// The float weights again.
static oq_status emit_dequantized(oq_emitter *e, const oq_stored *w, oq_value_id *out, oq_error *err) {
    const bool flat = !oq_shape_equal(&w->shape, &w->constant->shape);
    oq_value_id in[3] = {OQ_NONE, OQ_NONE, OQ_NONE};
    const char *name = oq_arena_printf(&e->graph->model->arena, err, "%s_quantized",
                                       oq_graph_value(e->graph, w->value)->name);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_add_initializer(e->graph, name, oq_tensor_retain(&w->q), &in[0], err));
    OQ_TRY(emit_params(e, w, &in[1], &in[2], err));
    if (misread_by_runtimes(w)) OQ_TRY(emit_bytes(e, w, &in[0], err));
    OQ_TRY(oq_emit_shaped(e, w->value, flat ? "_flat" : "_dequantized", ONNXQ_FLOAT, &w->shape, out, err));
    OQ_TRY(emit_node(e, w, in, *out, err));
    return flat ? emit_reshaped(e, w, out, err) : ONNXQ_OK;
}

oq_status oq_storage_emit(const oq_storage *storage, oq_error *err) {
    oq_graph *graph = storage->graph;
    oq_emitter e = {.graph = graph};
    oq_value_id *floats = oq_mem_calloc(storage->mem, storage->count + 1, sizeof *floats, err);
    oq_status status = floats ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    for (size_t i = 0; status == ONNXQ_OK && i < storage->count; i++)
        if (!storage->items[i].dropped) status = emit_dequantized(&e, &storage->items[i], &floats[i], err);
    for (size_t i = 0; status == ONNXQ_OK && i < storage->use_count; i++) {
        const oq_stored_use *use = &storage->uses[i];
        if (!use->reason && !storage->items[use->stored].dropped)
            status = oq_node_set_input(graph, oq_graph_node(graph, use->node), use->input,
                                       floats[use->stored], err);
    }
    oq_mem_free(storage->mem, floats);
    return status;
}
