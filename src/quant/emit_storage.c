// Writes weights that are stored as integers: initializers, and DequantizeLinear in front of the node that
// reads them.
#include "quant/emit_storage.h"

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

// Back to the constant's shape.
static oq_status emit_reshaped(oq_emitter *e, const oq_stored *w, oq_value_id *value, oq_error *err) {
    const oq_shape *shape = &w->constant->shape, rank = OQ_SHAPE(shape->rank);
    oq_value_id in[2] = {*value};
    OQ_TRY(oq_emit_integers(e, w->value, "_shape", ONNXQ_INT64, shape->dim, &rank, &in[1], err));
    OQ_TRY(oq_emit_shaped(e, w->value, "_dequantized", ONNXQ_FLOAT, shape, value, err));
    return oq_emit_node(e, "", "Reshape", in, 2, *value, NULL, err);
}

// The float weights again.
static oq_status emit_weight(oq_emitter *e, const oq_stored *w, oq_emitted_store *own, oq_error *err) {
    oq_value_id *out = &own->dequantized;
    const bool flat = !oq_shape_equal(&w->shape, &w->constant->shape);
    oq_value_id in[3] = {OQ_NONE, OQ_NONE, OQ_NONE};
    const char *name = oq_arena_printf(&e->graph->model->arena, err, "%s_quantized",
                                       oq_graph_value(e->graph, w->value)->name);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_add_initializer(e->graph, name, oq_tensor_retain(&w->q), &in[0], err));
    OQ_TRY(emit_params(e, w, &in[1], &in[2], err));
    if (misread_by_runtimes(w)) OQ_TRY(emit_bytes(e, w, &in[0], err));
    OQ_TRY(oq_emit_shaped(e, w->value, flat ? "_flat" : "_dequantized", ONNXQ_FLOAT, &w->shape, out, err));
    OQ_TRY(oq_emit_dequantize(e, &w->granularity, in, *out, err));
    return flat ? emit_reshaped(e, w, out, err) : ONNXQ_OK;
}

// The transpose of a tied table.
static oq_status emit_transposed(oq_emitter *e, const oq_stored *w, oq_emitted_store *own, oq_error *err) {
    const oq_shape shape = OQ_SHAPE(w->shape.dim[1], w->shape.dim[0]);
    oq_node *node;
    OQ_TRY(oq_emit_shaped(e, w->value, "_transposed", ONNXQ_FLOAT, &shape, &own->transposed, err));
    OQ_TRY(oq_emit_node(e, "", "Transpose", &own->dequantized, 1, own->transposed, &node, err));
    return oq_node_set_ints(e->graph, node, "perm", (int64_t[]){1, 0}, 2, err);
}

static oq_status emit_use(oq_emitter *e, const oq_stored_use *use, const oq_stored *w, oq_emitted_store *own,
                          oq_error *err) {
    if (w->table && own->q == OQ_NONE) OQ_TRY(oq_emit_table(e, w, own, err));
    if (use->rows) return oq_emit_lookup(e, w, own, use->reader, err);
    if (own->dequantized == OQ_NONE) OQ_TRY((w->table ? oq_emit_whole_table : emit_weight)(e, w, own, err));
    if (use->transposed && own->transposed == OQ_NONE) OQ_TRY(emit_transposed(e, w, own, err));
    return oq_node_set_input(e->graph, oq_graph_node(e->graph, use->reader), use->input,
                             use->transposed ? own->transposed : own->dequantized, err);
}

// A bias that was there keeps its name.
static oq_status emit_bias(oq_emitter *e, const oq_stored_bias *bias, oq_error *err) {
    oq_node *node = oq_graph_node(e->graph, bias->node);
    const bool named = node->input_count > 2 && node->inputs[2] != OQ_NONE;
    const oq_shape shape = OQ_SHAPE((int64_t)bias->count);
    oq_value_id made;
    OQ_TRY(oq_emit_floats(e, named ? node->inputs[2] : node->outputs[0], named ? "_corrected" : "_bias",
                          bias->bias, &shape, &made, err));
    return oq_node_set_input(e->graph, node, 2, made, err);
}

oq_status oq_storage_emit(const oq_storage *storage, oq_graph *graph, oq_error *err) {
    oq_emitter e = {.graph = graph};
    oq_emitted_store *own = oq_mem_calloc(storage->mem, storage->count + 1, sizeof *own, err);
    oq_status status = own ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    for (size_t i = 0; own && i < storage->count; i++)
        own[i] = (oq_emitted_store){OQ_NONE, OQ_NONE, OQ_NONE, OQ_NONE, OQ_NONE};
    for (size_t i = 0; status == ONNXQ_OK && i < storage->use_count; i++) {
        const oq_stored_use *use = &storage->uses[i];
        if (!use->reason && !storage->items[use->stored].dropped)
            status = emit_use(&e, use, &storage->items[use->stored], &own[use->stored], err);
    }
    for (size_t i = 0; status == ONNXQ_OK && i < storage->bias_count; i++)
        status = emit_bias(&e, &storage->biases[i], err);
    oq_mem_free(storage->mem, own);
    return status;
}
