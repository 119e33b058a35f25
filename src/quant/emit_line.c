// A convolution along one axis, or of one element, whose result goes to float operators: a matrix product of
// the integers, each row the slices of the input that meet the kernel. Runtimes give the product a float
// result, which they do not do for convolutions; the same numbers are multiplied and moved as in a
// convolution's own way of making rows.
#include "quant/emit.h"

typedef struct line {
    oq_emitter *e;
    const oq_layer *layer;
    const oq_weight *weight; // [M, C, K] with sizes of 1 somewhere among or behind
    int rank;                // of the input
    bool points;             // the kernel has one element: every place of the input is a row
    int64_t channels, outputs, kernel, stride, dilation, pads[2];
    oq_dim batch, length, made; // N, length of the input, of the output
    oq_dim places[OQ_MAX_RANK]; // of the input's spatial axes
    oq_value_id scale, zero;    // of the input
} line;

static int64_t along(const line *l, const char *name, int64_t otherwise) {
    size_t count;
    if (l->points) return otherwise;
    const int64_t *list = oq_node_ints(oq_graph_node(l->e->graph, l->layer->node), name, &count);
    return count ? list[l->layer->line - 2] : otherwise;
}

static oq_status begin(line *l, oq_emitter *e, const oq_layer *layer, oq_error *err) {
    const oq_shape *weight = &layer->operand[1].weight->shape;
    const oq_type *in = &oq_graph_value(e->graph, layer->operand[0].value)->type,
                  *out = &oq_graph_value(e->graph, layer->product)->type;
    *l = (line){.e = e,
                .layer = layer,
                .weight = layer->operand[1].weight,
                .rank = weight->rank,
                .points = layer->line == OQ_LINE_POINTS,
                .made = OQ_DIM_ANONYMOUS};
    l->outputs = weight->dim[0], l->channels = weight->dim[1];
    l->kernel = l->points ? 1 : weight->dim[layer->line];
    for (int d = 2; d < l->rank; d++) l->places[d - 2] = in->dim[d];
    l->stride = along(l, "strides", 1), l->dilation = along(l, "dilations", 1);
    size_t count;
    const int64_t *pads = oq_node_ints(oq_graph_node(e->graph, layer->node), "pads", &count);
    for (int i = 0; count && i < 2 && !l->points; i++) l->pads[i] = pads[layer->line - 2 + i * (l->rank - 2)];
    l->batch = in->dim[0];
    if (!l->points) l->length = in->dim[layer->line];
    if (!l->points && out->kind == OQ_TYPE_TENSOR && out->rank == l->rank) l->made = out->dim[layer->line];
    return oq_emit_operand_params(e, &layer->operand[0], &l->scale, &l->zero, err);
}

// --- values and nodes ---

// A value of the shape [N, middle, last]; of points: [N, places.., last].
static oq_status put(line *l, const char *op_type, const oq_value_id *inputs, size_t count,
                     const char *suffix, oq_dtype dtype, oq_dim middle, oq_dim last, oq_value_id *out,
                     oq_node **node, oq_error *err) {
    oq_dim dims[OQ_MAX_RANK + 2] = {l->batch};
    int rank = 1;
    if (!l->points) dims[rank++] = middle;
    for (int d = 2; l->points && d < l->rank; d++) dims[rank++] = l->places[d - 2];
    dims[rank++] = last;
    OQ_TRY(oq_emit_value(l->e, l->layer->product, suffix, dtype, out, err));
    oq_graph_value(l->e->graph, *out)->type = oq_type_tensor(dtype, rank, dims);
    return oq_emit_node(l->e, "", op_type, inputs, count, *out, node, err);
}

static oq_status put_ints(line *l, const char *suffix, const int64_t *numbers, int64_t count,
                          oq_value_id *out, oq_error *err) {
    const oq_shape shape = OQ_SHAPE(count);
    return oq_emit_integers(l->e, l->layer->product, suffix, ONNXQ_INT64, numbers, &shape, out, err);
}

static oq_dtype carrier(const line *l) { return l->e->plan->tensors[l->layer->operand[0].value].carrier; }

// The spatial axes of size 1.
static oq_status other_axes(line *l, oq_value_id *out, oq_error *err) {
    int64_t axes[OQ_MAX_RANK];
    int64_t count = 0;
    for (int d = 2; d < l->rank; d++)
        if (d != l->layer->line) axes[count++] = d;
    return put_ints(l, "_axes", axes, count, out, err);
}

// --- rows ---

// Channels last, or back to where a convolution has them.
static oq_status set_order(line *l, oq_node *node, bool back, oq_error *err) {
    const int rank = l->points ? l->rank : 3;
    int64_t perm[OQ_MAX_RANK] = {0};
    perm[back ? 1 : rank - 1] = back ? rank - 1 : 1;
    for (int d = 2; d < rank; d++) perm[back ? d : d - 1] = back ? d - 1 : d;
    return oq_node_set_ints(l->e->graph, node, "perm", perm, (size_t)rank, err);
}

// The input as [N, L, C].
static oq_status turn(line *l, oq_value_id *q, oq_error *err) {
    oq_value_id inputs[2] = {*q}, from = *q;
    oq_node *node;
    if (l->rank > 3 && !l->points) {
        OQ_TRY(other_axes(l, &inputs[1], err));
        OQ_TRY(put(l, "Squeeze", inputs, 2, "_line", carrier(l), oq_dim_of(l->channels), l->length, &from,
                   NULL, err));
    }
    OQ_TRY(put(l, "Transpose", &from, 1, "_steps", carrier(l), l->length, oq_dim_of(l->channels), q, &node,
               err));
    return set_order(l, node, false, err);
}

// Borders of zero points.
static oq_status pad(line *l, oq_value_id *q, oq_error *err) {
    if (!l->pads[0] && !l->pads[1]) return ONNXQ_OK;
    oq_value_id inputs[3] = {*q, OQ_NONE, l->zero};
    const int64_t pads[6] = {0, l->pads[0], 0, 0, l->pads[1], 0};
    oq_dim length = OQ_DIM_ANONYMOUS;
    if (oq_dim_known(l->length)) length = oq_dim_of(l->length.size + l->pads[0] + l->pads[1]);
    OQ_TRY(put_ints(l, "_pads", pads, 6, &inputs[1], err));
    return put(l, "Pad", inputs, 3, "_padded", carrier(l), length, oq_dim_of(l->channels), q, NULL, err);
}

// What meets element `k` of the kernel: [N, L', C].
static oq_status slice(line *l, oq_value_id q, int64_t k, oq_value_id *out, oq_error *err) {
    const int64_t start = k * l->dilation, left = (l->kernel - 1 - k) * l->dilation,
                  end = left ? -left : INT64_MAX, axis = 1;
    oq_value_id inputs[5] = {q};
    OQ_TRY(put_ints(l, "_start", &start, 1, &inputs[1], err));
    OQ_TRY(put_ints(l, "_end", &end, 1, &inputs[2], err));
    OQ_TRY(put_ints(l, "_axis", &axis, 1, &inputs[3], err));
    if (l->stride != 1) OQ_TRY(put_ints(l, "_stride", &l->stride, 1, &inputs[4], err));
    return put(l, "Slice", inputs, l->stride != 1 ? 5 : 4, "_slice", carrier(l), l->made,
               oq_dim_of(l->channels), out, NULL, err);
}

// [N, L', K C].
static oq_status gather_rows(line *l, oq_value_id *q, oq_error *err) {
    if (l->kernel == 1) return l->stride == 1 ? ONNXQ_OK : slice(l, *q, 0, q, err);
    oq_value_id *slices = oq_mem_calloc(l->e->plan->mem, (size_t)l->kernel, sizeof *slices, err);
    oq_status status = slices ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    for (int64_t k = 0; status == ONNXQ_OK && k < l->kernel; k++) status = slice(l, *q, k, &slices[k], err);
    oq_node *node = NULL;
    if (status == ONNXQ_OK)
        status = put(l, "Concat", slices, (size_t)l->kernel, "_rows", carrier(l), l->made,
                     oq_dim_of(l->kernel * l->channels), q, &node, err);
    oq_mem_free(l->e->plan->mem, slices);
    return status == ONNXQ_OK ? oq_node_set_int(l->e->graph, node, "axis", 2, err) : status;
}

// --- the product ---

// [M, C, K] as [K C, M].
static oq_status emit_columns(line *l, oq_emitted_weight *out, oq_error *err) {
    const oq_shape shape = OQ_SHAPE(l->kernel * l->channels, l->outputs);
    oq_tensor turned = {0};
    OQ_TRY(oq_tensor_new(l->e->plan->mem, l->weight->carrier, &shape, &turned, err));
    const uint8_t *from = l->weight->q.data; // 8 bits or fewer: a byte each
    uint8_t *to = turned.data;
    for (int64_t m = 0; m < l->outputs; m++)
        for (int64_t c = 0; c < l->channels; c++)
            for (int64_t k = 0; k < l->kernel; k++) to[(k * l->channels + c) * l->outputs + m] = *from++;
    return oq_emit_weight_integers(l->e, l->weight, turned, out, err);
}

static oq_status dequantized_product(line *l, oq_value_id rows, oq_value_id *out, oq_error *err) {
    const oq_shape shape = OQ_SHAPE(l->kernel * l->channels, l->outputs);
    oq_emitted_weight weight = OQ_EMITTED_WEIGHT_NONE;
    oq_value_id in[2];
    oq_node *node;
    OQ_TRY(emit_columns(l, &weight, err));
    OQ_TRY(put(l, "DequantizeLinear", (oq_value_id[]){rows, l->scale, l->zero}, 3, "_rows_dequantized",
               ONNXQ_FLOAT, l->made, oq_dim_of(l->kernel * l->channels), &in[0], NULL, err));
    OQ_TRY(oq_emit_shaped(l->e, l->weight->value, "_dequantized", ONNXQ_FLOAT, &shape, &in[1], err));
    OQ_TRY(oq_emit_node(l->e, "", "DequantizeLinear", (oq_value_id[]){weight.q, weight.scale, weight.zero}, 3,
                        in[1], &node, err));
    if (l->weight->per_channel) OQ_TRY(oq_node_set_int(l->e->graph, node, "axis", 1, err));
    OQ_TRY(put(l, "MatMul", in, 2, "_product", ONNXQ_FLOAT, l->made, oq_dim_of(l->outputs), out, &node, err));
    node->name = oq_graph_node(l->e->graph, l->layer->node)->name;
    return ONNXQ_OK;
}

static oq_status integer_product(line *l, oq_value_id rows, oq_value_id *out, oq_error *err) {
    const oq_dim outputs = oq_dim_of(l->outputs);
    oq_emitted_weight weight = OQ_EMITTED_WEIGHT_NONE;
    oq_value_id sum, in[2];
    oq_node *node;
    bool zero = false;
    for (size_t c = 0; c < oq_weight_params(l->weight); c++) zero |= l->weight->params[c].zero_point != 0;
    OQ_TRY(emit_columns(l, &weight, err));
    OQ_TRY(oq_emit_product_scale(l->e, l->layer->operand[0].value, weight.scale, l->layer->product, &in[1],
                                 err));
    OQ_TRY(put(l, "MatMulInteger", (oq_value_id[]){rows, weight.q, l->zero, zero ? weight.zero : OQ_NONE}, 4,
               "_int32", ONNXQ_INT32, l->made, outputs, &sum, &node, err));
    node->name = oq_graph_node(l->e->graph, l->layer->node)->name;
    OQ_TRY(put(l, "Cast", &sum, 1, "_cast", ONNXQ_FLOAT, l->made, outputs, &in[0], &node, err));
    OQ_TRY(oq_node_set_int(l->e->graph, node, "to", ONNXQ_FLOAT, err));
    return put(l, "Mul", in, 2, "_product", ONNXQ_FLOAT, l->made, outputs, out, NULL, err);
}

static oq_status add_bias(line *l, oq_value_id *product, oq_error *err) {
    const oq_shape shape = OQ_SHAPE(1, l->outputs); // a row: see emit_row of emit_qdq.c
    const bool named = l->layer->addend != OQ_NONE;
    oq_value_id in[2] = {*product};
    if (!l->layer->vector) return ONNXQ_OK;
    OQ_TRY(oq_emit_floats(l->e, named ? l->layer->addend : l->layer->product, named ? "_added" : "_bias",
                          l->layer->bias, &shape, &in[1], err));
    return put(l, "Add", in, 2, "_sum", ONNXQ_FLOAT, l->made, oq_dim_of(l->outputs), product, NULL, err);
}

// [N, L', M] as the convolution gives it.
static oq_status turn_back(line *l, oq_value_id product, oq_error *err) {
    oq_value_id inputs[2] = {l->layer->output};
    oq_node *node;
    if (l->rank > 3 && !l->points) {
        OQ_TRY(other_axes(l, &inputs[1], err));
        OQ_TRY(put(l, "Transpose", &product, 1, "_turned", ONNXQ_FLOAT, oq_dim_of(l->outputs), l->made,
                   &inputs[0], &node, err));
        OQ_TRY(oq_emit_node(l->e, "", "Unsqueeze", inputs, 2, l->layer->output, NULL, err));
    } else {
        OQ_TRY(oq_emit_node(l->e, "", "Transpose", &product, 1, l->layer->output, &node, err));
    }
    return set_order(l, node, true, err);
}

oq_status oq_emit_line(oq_emitter *e, const oq_layer *layer, oq_error *err) {
    line l;
    oq_value_id rows, product;
    OQ_TRY(oq_emit_operand(e, layer, 0, &rows, err));
    OQ_TRY(begin(&l, e, layer, err));
    OQ_TRY(turn(&l, &rows, err));
    OQ_TRY(pad(&l, &rows, err));
    OQ_TRY(gather_rows(&l, &rows, err));
    OQ_TRY(e->plan->options.format == OQ_FORMAT_QDQ ? dequantized_product(&l, rows, &product, err)
                                                    : integer_product(&l, rows, &product, err));
    OQ_TRY(add_bias(&l, &product, err));
    oq_emit_remove(e, layer);
    return turn_back(&l, product, err);
}
