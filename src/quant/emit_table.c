// Writes tables that Gather looks rows up in: integers, a scale for each row, and the nodes that make floats
// of the rows that were looked up.
//
//     rows = Gather(integers, indices)        [.., D], or [.., D / 2] bytes of two 4-bit integers each
//     q    = Concat of the BitShifts of rows  where bytes hold several
//     y    = (Cast(q) - zero) * Gather(scale, indices)
//
// With a scale for each group of a row, y is computed as [all groups, group] and takes its shape again.
// Gather takes no 4- or 2-bit types, and DequantizeLinear before it would make floats of the whole table in
// every run. Field f of byte b of a row is its column b + f * bytes, so that the unpacked fields follow each
// other.
#include "quant/emit_storage.h"

#include <string.h>

enum { MOST_FIELDS = 4 };

static int field_bits(const oq_stored *w) { return oq_dtype_info(w->carrier)->bits; }
static int fields(const oq_stored *w) { return field_bits(w) < 8 ? 8 / field_bits(w) : 1; }
// Packed integers are unsigned: what is added to those of a signed grid.
static int32_t offset(const oq_stored *w) {
    return fields(w) > 1 && w->grid.is_signed ? INT32_C(1) << (field_bits(w) - 1) : 0;
}
static int64_t columns(const oq_stored *w) { return w->shape.dim[w->shape.rank - 1]; }
static int64_t row_bytes(const oq_stored *w) { return (columns(w) + fields(w) - 1) / fields(w); }
static oq_dtype stored_type(const oq_stored *w) { return fields(w) > 1 ? ONNXQ_UINT8 : w->carrier; }

// --- initializers ---

static oq_status pack(oq_emitter *e, const oq_stored *w, oq_tensor *out, oq_error *err) {
    oq_shape shape = w->shape;
    shape.dim[shape.rank - 1] = row_bytes(w);
    OQ_TRY(oq_tensor_new(e->graph->model->mem, ONNXQ_UINT8, &shape, out, err));
    const int64_t rows = oq_shape_range_count(&w->shape, 0, w->shape.rank - 1), bytes = row_bytes(w);
    const int8_t *q = w->q.data; // of either sign: the offset makes them small and positive
    uint8_t *packed = out->data;
    memset(packed, 0, (size_t)oq_shape_count(&shape));
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < columns(w); c++) {
            const int value = q[r * columns(w) + c] + offset(w);
            packed[r * bytes + c % bytes] |= (uint8_t)(value << (c / bytes * field_bits(w)));
        }
    return ONNXQ_OK;
}

// Of scales and zero points: one a row, so shaped that what is looked up multiplies a row; or one.
static oq_shape params_shape(const oq_stored *w) {
    oq_shape shape = {.rank = 0};
    if (w->granularity.kind == OQ_PER_TENSOR) return shape;
    if (w->granularity.kind == OQ_PER_GROUP) return w->params_shape;
    shape = w->shape;
    for (int d = 1; d < shape.rank; d++) shape.dim[d] = 1;
    return shape;
}

static bool one_zero(const oq_stored *w) {
    for (size_t p = 1; p < oq_layout_params(&w->layout); p++)
        if (w->params[p].zero_point != w->params[0].zero_point) return false;
    return true;
}

static oq_status emit_zeros(oq_emitter *e, const oq_stored *w, const oq_shape *shape, oq_value_id *out,
                            oq_error *err) {
    const size_t count = oq_layout_params(&w->layout);
    int64_t *zeros = oq_mem_calloc(e->graph->model->mem, count, sizeof *zeros, err);
    if (!zeros) return ONNXQ_NO_MEMORY;
    for (size_t p = 0; p < count; p++) zeros[p] = w->params[p].zero_point + offset(w);
    const oq_status status =
        oq_emit_integers(e, w->value, "_zero_point", stored_type(w), zeros, shape, out, err);
    oq_mem_free(e->graph->model->mem, zeros);
    return status;
}

static oq_status emit_scales(oq_emitter *e, const oq_stored *w, const oq_shape *shape, oq_value_id *out,
                             oq_error *err) {
    const size_t count = oq_layout_params(&w->layout);
    float *scales = oq_mem_calloc(e->graph->model->mem, count, sizeof *scales, err);
    if (!scales) return ONNXQ_NO_MEMORY;
    for (size_t p = 0; p < count; p++) scales[p] = w->params[p].scale;
    const oq_status status = oq_emit_floats(e, w->value, "_scale", scales, shape, out, err);
    oq_mem_free(e->graph->model->mem, scales);
    return status;
}

// One zero point for all is a float number, which is subtracted; 0 is left out.
static oq_status emit_params(oq_emitter *e, const oq_stored *w, oq_emitted_store *own, oq_error *err) {
    const oq_shape shape = params_shape(w), scalar = {.rank = 0};
    const float zero = (float)(w->params[0].zero_point + offset(w));
    OQ_TRY(emit_scales(e, w, &shape, &own->scale, err));
    if (!one_zero(w)) return emit_zeros(e, w, &shape, &own->zero, err);
    return zero != 0 ? oq_emit_floats(e, w->value, "_zero_point", &zero, &scalar, &own->zero, err) : ONNXQ_OK;
}

// The integers of a layer become the transpose of the table's, which runtimes compute when they load the
// model.
static oq_status emit_tied(oq_emitter *e, const oq_stored *w, const oq_emitted_store *own, oq_error *err) {
    const oq_shape shape = OQ_SHAPE(w->shape.dim[1], w->shape.dim[0]);
    oq_value_id turned;
    oq_node *node;
    OQ_TRY(oq_emit_shaped(e, w->value, "_turned", w->carrier, &shape, &turned, err));
    OQ_TRY(oq_emit_node(e, "", "Transpose", &own->q, 1, turned, &node, err));
    OQ_TRY(oq_node_set_ints(e->graph, node, "perm", (int64_t[]){1, 0}, 2, err));
    return oq_graph_replace_uses(e->graph, w->tied, turned, false, err);
}

oq_status oq_emit_table(oq_emitter *e, const oq_stored *w, oq_emitted_store *own, oq_error *err) {
    oq_tensor tensor = {0};
    const char *name = oq_arena_printf(&e->graph->model->arena, err, "%s_quantized",
                                       oq_graph_value(e->graph, w->value)->name);
    if (!name) return ONNXQ_NO_MEMORY;
    if (fields(w) > 1)
        OQ_TRY(pack(e, w, &tensor, err));
    else
        tensor = oq_tensor_retain(&w->q);
    OQ_TRY(oq_graph_add_initializer(e->graph, name, tensor, &own->q, err));
    if (w->tied != OQ_NONE) OQ_TRY(emit_tied(e, w, own, err));
    return emit_params(e, w, own, err);
}

// --- nodes ---

// Columns of the last axis of a value.
static void set_columns(oq_emitter *e, oq_value_id value, int64_t count) {
    oq_type *type = &oq_graph_value(e->graph, value)->type;
    if (type->kind == OQ_TYPE_TENSOR && type->rank > 0) type->dim[type->rank - 1] = oq_dim_of(count);
}

static oq_status emit_shift(oq_emitter *e, const oq_stored *w, const char *direction, int by,
                            oq_value_id *value, oq_error *err) {
    const oq_shape scalar = {.rank = 0};
    const int64_t bits = by;
    oq_value_id in[2] = {*value};
    oq_node *node;
    if (!by) return ONNXQ_OK;
    OQ_TRY(oq_emit_integers(e, w->value, "_shift", ONNXQ_UINT8, &bits, &scalar, &in[1], err));
    OQ_TRY(oq_emit_value(e, *value, "_shifted", ONNXQ_UINT8, value, err));
    OQ_TRY(oq_emit_node(e, "", "BitShift", in, 2, *value, &node, err));
    return oq_node_set_string(e->graph, node, "direction", direction, err);
}

// What the last byte holds beyond the columns goes.
static oq_status emit_cut(oq_emitter *e, const oq_stored *w, oq_value_id *value, oq_error *err) {
    const oq_shape one = OQ_SHAPE(1);
    const int64_t numbers[] = {0, columns(w), -1};
    oq_value_id in[4] = {*value};
    if (row_bytes(w) * fields(w) == columns(w)) return ONNXQ_OK;
    for (int i = 0; i < 3; i++)
        OQ_TRY(oq_emit_integers(e, w->value, "_columns", ONNXQ_INT64, &numbers[i], &one, &in[1 + i], err));
    OQ_TRY(oq_emit_value(e, *value, "_cut", ONNXQ_UINT8, value, err));
    set_columns(e, *value, columns(w));
    return oq_emit_node(e, "", "Slice", in, 4, *value, NULL, err);
}

// Bytes to their fields: shifted up so that nothing is left above them, and down.
static oq_status emit_unpacked(oq_emitter *e, const oq_stored *w, oq_value_id *value, oq_error *err) {
    oq_value_id parts[MOST_FIELDS], joined;
    oq_node *node;
    if (fields(w) == 1) return ONNXQ_OK;
    for (int f = 0; f < fields(w); f++) {
        parts[f] = *value;
        OQ_TRY(emit_shift(e, w, "LEFT", 8 - field_bits(w) * (f + 1), &parts[f], err));
        OQ_TRY(emit_shift(e, w, "RIGHT", 8 - field_bits(w), &parts[f], err));
    }
    OQ_TRY(oq_emit_value(e, *value, "_unpacked", ONNXQ_UINT8, &joined, err));
    set_columns(e, joined, row_bytes(w) * fields(w));
    OQ_TRY(oq_emit_node(e, "", "Concat", parts, (size_t)fields(w), joined, &node, err));
    OQ_TRY(oq_node_set_int(e->graph, node, "axis", -1, err));
    *value = joined;
    return emit_cut(e, w, value, err);
}

static oq_status emit_gather(oq_emitter *e, oq_value_id from, oq_value_id indices, oq_value_id like,
                             const char *suffix, int64_t last, oq_value_id *out, oq_error *err) {
    const oq_dtype dtype = oq_graph_constant(e->graph, from)->dtype;
    OQ_TRY(oq_emit_value(e, like, suffix, dtype, out, err));
    set_columns(e, *out, last);
    return oq_emit_node(e, "", "Gather", (oq_value_id[]){from, indices}, 2, *out, NULL, err);
}

static oq_status emit_cast(oq_emitter *e, oq_value_id *value, oq_error *err) {
    oq_value_id in = *value;
    oq_node *node;
    OQ_TRY(oq_emit_value(e, in, "_cast", ONNXQ_FLOAT, value, err));
    OQ_TRY(oq_emit_node(e, "", "Cast", &in, 1, *value, &node, err));
    return oq_node_set_int(e->graph, node, "to", ONNXQ_FLOAT, err);
}

static bool in_groups(const oq_stored *w) { return w->granularity.kind == OQ_PER_GROUP; }

// As [all groups, `columns` of one], where there are groups.
static oq_status emit_by_group(oq_emitter *e, const oq_stored *w, int64_t columns, oq_value_id *value,
                               oq_error *err) {
    const int64_t numbers[] = {-1, columns};
    const oq_shape two = OQ_SHAPE(2);
    const oq_dim dims[] = {OQ_DIM_ANONYMOUS, oq_dim_of(columns)};
    oq_value_id in[2] = {*value};
    if (!in_groups(w)) return ONNXQ_OK;
    OQ_TRY(oq_emit_integers(e, w->value, "_by_group", ONNXQ_INT64, numbers, &two, &in[1], err));
    OQ_TRY(oq_emit_value(e, in[0], "_by_group", ONNXQ_FLOAT, value, err));
    oq_graph_value(e->graph, *value)->type = oq_type_tensor(ONNXQ_FLOAT, 2, dims);
    return oq_emit_node(e, "", "Reshape", in, 2, *value, NULL, err);
}

// Parameters of the rows that are looked up, one each or one a group.
static oq_status emit_of_rows(oq_emitter *e, const oq_stored *w, oq_value_id from, const oq_value_id at[2],
                              const char *suffix, oq_value_id *value, oq_error *err) {
    const int64_t last = in_groups(w) ? w->params_shape.dim[1] : 1;
    OQ_TRY(emit_gather(e, from, at[0], at[1], suffix, last, value, err));
    if (oq_graph_constant(e->graph, from)->dtype != ONNXQ_FLOAT) OQ_TRY(emit_cast(e, value, err));
    return emit_by_group(e, w, 1, value, err);
}

// Floats less their zero points. `at`: indices, and the value that the rows stand for.
static oq_status emit_centred(oq_emitter *e, const oq_stored *w, oq_value_id zero, const oq_value_id at[2],
                              oq_value_id *value, oq_error *err) {
    oq_value_id in[2] = {*value, zero};
    if (zero == OQ_NONE) return ONNXQ_OK;
    if (!one_zero(w)) OQ_TRY(emit_of_rows(e, w, zero, at, "_zero_point", &in[1], err));
    OQ_TRY(oq_emit_value(e, in[0], "_centred", ONNXQ_FLOAT, value, err));
    return oq_emit_node(e, "", "Sub", in, 2, *value, NULL, err);
}

// Groups in the shape of `like` again, as `output`.
static oq_status emit_joined(oq_emitter *e, oq_value_id groups, oq_value_id like, oq_value_id output,
                             oq_error *err) {
    const oq_dim unknown[] = {OQ_DIM_ANONYMOUS};
    oq_value_id in[2] = {groups};
    OQ_TRY(oq_emit_value(e, output, "_shape", ONNXQ_INT64, &in[1], err));
    oq_graph_value(e->graph, in[1])->type = oq_type_tensor(ONNXQ_INT64, 1, unknown);
    OQ_TRY(oq_emit_node(e, "", "Shape", &like, 1, in[1], NULL, err));
    return oq_emit_node(e, "", "Reshape", in, 2, output, NULL, err);
}

oq_status oq_emit_lookup(oq_emitter *e, const oq_stored *w, const oq_emitted_store *own, oq_node_id gather,
                         oq_error *err) {
    oq_node *node = oq_graph_node(e->graph, gather);
    const oq_value_id at[2] = {node->inputs[1], node->outputs[0]};
    oq_value_id rows, in[2] = {OQ_NONE, own->scale}, product = at[1];
    OQ_TRY(emit_gather(e, own->q, at[0], at[1], "_rows", row_bytes(w), &rows, err));
    OQ_TRY(emit_unpacked(e, w, &rows, err));
    OQ_TRY(emit_cast(e, &rows, err));
    in[0] = rows;
    OQ_TRY(emit_by_group(e, w, w->granularity.group_size, &in[0], err));
    OQ_TRY(emit_centred(e, w, own->zero, at, &in[0], err));
    if (w->granularity.kind != OQ_PER_TENSOR)
        OQ_TRY(emit_of_rows(e, w, own->scale, at, "_scale", &in[1], err));
    oq_graph_remove_node(e->graph, node);
    if (in_groups(w)) OQ_TRY(oq_emit_value(e, in[0], "_product", ONNXQ_FLOAT, &product, err));
    OQ_TRY(oq_emit_node(e, node->name, "Mul", in, 2, product, NULL, err));
    return in_groups(w) ? emit_joined(e, product, rows, at[1], err) : ONNXQ_OK;
}

// What an output layer that is tied to the table reads: all of it as floats.
oq_status oq_emit_whole_table(oq_emitter *e, const oq_stored *w, oq_emitted_store *own, oq_error *err) {
    const oq_shape all = OQ_SHAPE(-1), one = OQ_SHAPE(1), rows = OQ_SHAPE(w->shape.dim[0]);
    oq_value_id in[3] = {own->q, own->scale, OQ_NONE}, reshape[2] = {own->scale};
    OQ_TRY(emit_unpacked(e, w, &in[0], err));
    if (w->granularity.kind == OQ_PER_CHANNEL) {
        OQ_TRY(oq_emit_integers(e, w->value, "_shape", ONNXQ_INT64, all.dim, &one, &reshape[1], err));
        OQ_TRY(oq_emit_shaped(e, own->scale, "_vector", ONNXQ_FLOAT, &rows, &in[1], err));
        OQ_TRY(oq_emit_node(e, "", "Reshape", reshape, 2, in[1], NULL, err));
    }
    if (own->zero != OQ_NONE)
        OQ_TRY(
            emit_zeros(e, w, w->granularity.kind == OQ_PER_CHANNEL ? &rows : &w->params_shape, &in[2], err));
    OQ_TRY(oq_emit_shaped(e, w->value, "_dequantized", ONNXQ_FLOAT, &w->shape, &own->dequantized, err));
    return oq_emit_dequantize(e, &w->granularity, in, own->dequantized, err);
}
