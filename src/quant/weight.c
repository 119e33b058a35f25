// One constant operand as integers: layout, parameters per output channel or per tensor, rounding.
#include "grid/layout.h"
#include "quant/plan.h"

#include <stdlib.h>
#include <string.h>

#define FIT_EXPONENT 2.4 // of the rounding error that the range search of narrow grids minimises

// --- layout ---

static void lay_out(oq_weight *w, const oq_layer *layer, const oq_operand *operand) {
    const oq_shape *from = &operand->constant->shape;
    const int rank = from->rank;
    w->shape = *from;
    if (w->transposed) w->shape = OQ_SHAPE(from->dim[1], from->dim[0]);
    const bool convolution = layer->shape == OQ_LAYER_CONV, left = operand == &layer->operand[0];
    if (convolution || rank < 2) { // [M, C/group * k...], or a vector along K
        w->blocks = 1;
        w->rows = rank > 0 ? from->dim[0] : 1;
        w->columns = rank > 0 ? oq_shape_range_count(from, 1, rank) : 1;
    } else { // [D1 * ..., rows, columns]
        w->blocks = oq_shape_range_count(from, 0, rank - 2);
        w->rows = w->shape.dim[rank - 2];
        w->columns = w->shape.dim[rank - 1];
    }
    w->outputs = 1;
    if (convolution) {
        w->step[1] = 1;
        w->outputs = (size_t)w->rows;
    } else if (rank >= 2) {
        w->step[0] = left ? w->rows : w->columns;
        w->step[left ? 1 : 2] = 1;
        w->outputs = (size_t)(w->blocks * w->step[0]);
    }
    w->axis = !w->per_channel ? -1 : convolution ? 0 : rank == 2 ? 1 : -1;
}

size_t oq_plan_weight_group(const oq_plan *plan, const oq_layer *layer) {
    const oq_operand *right = &layer->operand[1];
    if (!plan->options.group_size || !right->constant || !right->channels) return 0;
    const oq_shape *shape = &right->constant->shape;
    const bool convolution = layer->shape == OQ_LAYER_CONV;
    if (!convolution && shape->rank != 2) return 0;
    const int64_t depth =
        convolution ? oq_shape_range_count(shape, 1, shape->rank) : shape->dim[right->transposed ? 1 : 0];
    return depth > plan->options.group_size ? (size_t)plan->options.group_size : 0;
}

// Blocks along the sum, of which a convolution's kernel is one axis.
static void cut_into_groups(oq_weight *w, size_t group) {
    w->group = group;
    if (!group) return;
    w->shape = OQ_SHAPE(w->rows, w->columns);
    w->axis = w->step[1] ? 1 : 0;
}

// DequantizeLinear takes one axis, so that a stack of matrices takes one scale in qdq; so do differing zero
// points of a stack, which MatMulInteger has no common form for.
static bool wants_channels(const oq_plan *plan, const oq_layer *layer, const oq_operand *operand) {
    if (!plan->options.per_channel || !operand->channels) return false;
    if (layer->shape == OQ_LAYER_CONV || operand->constant->shape.rank == 2) return true;
    return plan->options.format == OQ_FORMAT_QOPERATOR && !layer->wide && !plan->options.weight_asymmetric;
}

static inline size_t output_of(const oq_weight *w, int64_t b, int64_t r, int64_t c) {
    return (size_t)(b * w->step[0] + r * w->step[1] + c * w->step[2]);
}

// The blocks that share a parameter: all, or those of one output channel.
static oq_layout layout_of(const oq_weight *w) {
    const size_t blocks = (size_t)w->blocks, rows = (size_t)w->rows, columns = (size_t)w->columns;
    oq_layout layout = {.size = {blocks, rows, columns},
                        .block = {blocks, rows, columns},
                        .step = {rows * columns, columns, 1}};
    if (w->transposed) layout.step[1] = 1, layout.step[2] = rows;
    for (int d = 0; w->per_channel && d < 3; d++)
        if (w->step[d]) layout.block[d] = 1;
    if (w->group) layout.block[w->step[1] ? 2 : 1] = w->group;
    return layout;
}

// --- numbers ---

void oq_weight_measure(oq_weight *w) {
    size_t index = 0;
    memset(w->reach, 0, w->outputs * sizeof *w->reach);
    for (int64_t b = 0; b < w->blocks; b++)
        for (int64_t r = 0; r < w->rows; r++)
            for (int64_t c = 0; c < w->columns; c++) {
                const size_t output = output_of(w, b, r, c);
                const size_t k = (size_t)(w->step[1] ? c : r);
                w->reach[output] +=
                    abs(oq_weight_at(w, index++) - oq_weight_param_at(w, output, k).zero_point);
            }
}

// Its floats with alpha folded in; one new reference.
static oq_status load(oq_plan *plan, const oq_weight *w, oq_tensor *out, oq_error *err) {
    oq_tensor data = {0};
    OQ_TRY(oq_constant_load(plan->mem, oq_graph_constant(plan->graph, w->value), &data, err));
    if (w->alpha == 1) {
        *out = data;
        return ONNXQ_OK;
    }
    const oq_status status = oq_tensor_new(plan->mem, ONNXQ_FLOAT, &data.shape, out, err);
    for (int64_t i = 0; status == ONNXQ_OK && i < oq_tensor_count(&data); i++)
        ((float *)out->data)[i] = (float)(w->alpha * (double)((const float *)data.data)[i]);
    oq_tensor_release(&data);
    return status;
}

static void quantize(oq_weight *w, const oq_tensor *data) {
    const oq_layout layout = layout_of(w);
    oq_layout_quantize(&layout, &w->grid, w->params, data->data, w->carrier, w->q.data);
    oq_weight_measure(w);
}

// --- objects ---

static oq_status new_weight(oq_plan *plan, const oq_weight *like, oq_weight **out, oq_error *err) {
    oq_weight *w = oq_arena_memdup(&plan->arena, like, sizeof *like, err);
    oq_tensor q = {0};
    if (!w) return ONNXQ_NO_MEMORY;
    w->params = oq_arena_calloc(&plan->arena, oq_weight_params(w) + 1, sizeof *w->params, err);
    w->reach = oq_arena_calloc(&plan->arena, w->outputs + 1, sizeof *w->reach, err);
    if (!w->params || !w->reach) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_mem_reserve(plan->mem, (void **)&plan->weights, plan->weight_count, &plan->weight_capacity,
                          sizeof(oq_weight *), err));
    OQ_TRY(oq_tensor_new(plan->mem, w->carrier, &w->shape, &q, err));
    w->q = q;
    plan->weights[plan->weight_count++] = w;
    *out = w;
    return ONNXQ_OK;
}

// The same constant used in the same way by another layer has the same integers.
static oq_weight *find_same(const oq_plan *plan, const oq_weight *want) {
    for (size_t i = 0; i < plan->weight_count; i++) {
        oq_weight *w = plan->weights[i];
        if (w->value == want->value && w->transposed == want->transposed && w->alpha == want->alpha &&
            w->carrier == want->carrier && w->grid.bits == want->grid.bits &&
            w->per_channel == want->per_channel && w->axis == want->axis && w->group == want->group &&
            !w->own && !want->own)
            return w;
    }
    return NULL;
}

static oq_weight describe(const oq_plan *plan, const oq_layer *layer, const oq_operand *operand) {
    const oq_quant_options *o = &plan->options;
    // Kernels take u8 x s8, u8 x u8 and s8 x s8: a constant on the left is of the activations' type.
    const bool is_signed = operand == &layer->operand[0] ? o->activation_signed : o->weight_signed;
    oq_weight w = {
        .value = operand->value,
        .written = OQ_NONE,
        .transposed = operand->transposed && operand->constant->shape.rank == 2,
        .alpha = layer->alpha,
        .per_channel = wants_channels(plan, layer, operand),
        .own = layer->integer && plan->tensors[layer->output].axis >= 0,
        .grid = oq_options_weight_grid(o, layer->weight_bits, is_signed, layer->shape == OQ_LAYER_MATRIX)};
    // QuantizeLinear and DequantizeLinear have 4- and 2-bit types, QLinearConv and QLinearMatMul have not.
    // MatMulInteger and ConvInteger have not either, but dynamic mode is there for small files: it takes the
    // bytes from a Cast, which runtimes compute when they load the model.
    w.carrier =
        oq_grid_carrier(&w.grid, o->format == OQ_FORMAT_QDQ || o->mode == OQ_MODE_DYNAMIC || layer->wide);
    lay_out(&w, layer, operand);
    if (operand == &layer->operand[1]) cut_into_groups(&w, oq_plan_weight_group(plan, layer));
    return w;
}

// Weights of a product whose output has parameters per channel are multiplied by what makes one scale of all.
static oq_status take_factors(oq_plan *plan, const oq_layer *layer, oq_weight *w, oq_error *err) {
    const oq_tensor_plan *output = &plan->tensors[layer->output];
    w->factor = oq_arena_calloc(&plan->arena, w->outputs, sizeof *w->factor, err);
    if (!w->factor) return ONNXQ_NO_MEMORY;
    for (size_t c = 0; c < w->outputs; c++) w->factor[c] = output->made.scale / output->params[c].scale;
    return ONNXQ_OK;
}

oq_status oq_weight_make(oq_plan *plan, const oq_layer *layer, const oq_operand *operand, oq_weight **out,
                         bool *finite, oq_error *err) {
    const oq_weight want = describe(plan, layer, operand);
    // At 8 bits the whole range is best as a rule; below, the largest weights cost the others too much.
    const oq_fit fit = {.symmetric = !plan->options.weight_asymmetric,
                        .exponent = want.grid.bits < 8 ? FIT_EXPONENT : 0,
                        .half_quadratic = plan->options.half_quadratic};
    const oq_layout layout = layout_of(&want);
    *finite = true;
    *out = find_same(plan, &want);
    if (*out) return ONNXQ_OK;
    oq_weight *w;
    size_t bad;
    OQ_TRY(new_weight(plan, &want, &w, err));
    if (w->own) OQ_TRY(take_factors(plan, layer, w, err));
    oq_tensor data = {0};
    OQ_TRY(load(plan, w, &data, err));
    *finite = !oq_layout_find_bad(&layout, data.data, &bad);
    oq_status status = ONNXQ_OK;
    if (*finite)
        status = oq_layout_fit(plan->mem, &layout, &w->grid, &fit, data.data,
                               oq_graph_value(plan->graph, w->value)->name, w->params, err);
    if (*finite && status == ONNXQ_OK) quantize(w, &data);
    oq_tensor_release(&data);
    *out = w;
    return status;
}

oq_status oq_weight_copy(oq_plan *plan, const oq_weight *weight, oq_weight **out, oq_error *err) {
    OQ_TRY(new_weight(plan, weight, out, err));
    (*out)->own = true;
    memcpy((*out)->params, weight->params, oq_weight_params(weight) * sizeof *weight->params);
    return ONNXQ_OK;
}

oq_status oq_weight_rescale(oq_plan *plan, const oq_weight *weight, const float *scale, oq_weight **out,
                            oq_error *err) {
    oq_weight *w;
    oq_tensor data = {0};
    OQ_TRY(oq_weight_copy(plan, weight, &w, err));
    for (size_t c = 0; c < oq_weight_params(w); c++) w->params[c].scale = scale[c];
    OQ_TRY(load(plan, w, &data, err));
    quantize(w, &data);
    oq_tensor_release(&data);
    *out = w;
    return ONNXQ_OK;
}
