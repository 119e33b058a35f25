// One constant operand as integers: layout, parameters per output channel or per tensor, rounding.
#include "quant/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

// DequantizeLinear has one axis, so that a stack of matrices takes one scale in qdq; so do differing zero
// points of a stack, which MatMulInteger has no common form for.
static bool wants_channels(const oq_plan *plan, const oq_layer *layer, const oq_operand *operand) {
    if (!plan->options.per_channel || !operand->channels) return false;
    if (layer->shape == OQ_LAYER_CONV || operand->constant->shape.rank == 2) return true;
    return plan->options.format == OQ_FORMAT_QOPERATOR && !plan->options.weight_asymmetric;
}

static inline size_t output_of(const oq_weight *w, int64_t b, int64_t r, int64_t c) {
    return (size_t)(b * w->step[0] + r * w->step[1] + c * w->step[2]);
}

static inline float element(const oq_weight *w, const float *data, int64_t b, int64_t r, int64_t c) {
    const int64_t at = w->transposed ? c * w->rows + r : (b * w->rows + r) * w->columns + c;
    return (float)(w->alpha * (double)data[at]);
}

// --- numbers ---

// Least and greatest element per parameter, 0 included; false when one is NaN or infinite.
static bool find_ranges(const oq_weight *w, const float *data, oq_range *range) {
    bool finite = true;
    for (int64_t b = 0; b < w->blocks; b++)
        for (int64_t r = 0; r < w->rows; r++)
            for (int64_t c = 0; c < w->columns; c++) {
                const double x = (double)element(w, data, b, r, c);
                oq_range *own = &range[w->per_channel ? output_of(w, b, r, c) : 0];
                finite &= isfinite(x) != 0;
                if (x < own->min) own->min = x;
                if (x > own->max) own->max = x;
            }
    return finite;
}

static oq_status find_params(oq_weight *w, const float *data, bool asymmetric, const char *name, oq_mem *mem,
                             bool *finite, oq_error *err) {
    oq_range *range = oq_mem_calloc(mem, oq_weight_params(w) + 1, sizeof *range, err);
    if (!range) return ONNXQ_NO_MEMORY;
    oq_status status = ONNXQ_OK;
    *finite = find_ranges(w, data, range);
    for (size_t c = 0; *finite && status == ONNXQ_OK && c < oq_weight_params(w); c++)
        status =
            asymmetric
                ? oq_grid_asymmetric(&w->grid, range[c].min, range[c].max, name, &w->params[c], err)
                : oq_grid_symmetric(&w->grid, fmax(-range[c].min, range[c].max), name, &w->params[c], err);
    oq_mem_free(mem, range);
    return status;
}

static void quantize(oq_weight *w, const float *data) {
    uint8_t *q = w->q.data; // int8 and uint8 alike: the low byte
    for (int64_t b = 0; b < w->blocks; b++)
        for (int64_t r = 0; r < w->rows; r++)
            for (int64_t c = 0; c < w->columns; c++) {
                const size_t output = output_of(w, b, r, c);
                const oq_qparam param = oq_weight_param(w, output);
                const int32_t value = oq_quantize_one(&w->grid, param, element(w, data, b, r, c));
                *q++ = (uint8_t)value;
                w->reach[output] += abs(value - param.zero_point);
            }
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
            w->carrier == want->carrier && w->per_channel == want->per_channel && w->axis == want->axis &&
            !w->raised)
            return w;
    }
    return NULL;
}

oq_status oq_weight_make(oq_plan *plan, const oq_layer *layer, const oq_operand *operand, oq_weight **out,
                         bool *finite, oq_error *err) {
    // Kernels take u8 x s8, u8 x u8 and s8 x s8: a constant on the left is of the activations' type.
    const bool is_signed =
        operand == &layer->operand[0] ? plan->options.activation_signed : plan->options.weight_signed;
    oq_weight want = {.value = operand->value,
                      .transposed = operand->transposed && operand->constant->shape.rank == 2,
                      .alpha = layer->alpha,
                      .per_channel = wants_channels(plan, layer, operand)};
    want.grid =
        oq_grid_make(plan->options.weight_bits, is_signed, is_signed && !plan->options.weight_asymmetric);
    want.carrier = oq_grid_carrier(&want.grid, false);
    lay_out(&want, layer, operand);
    *finite = true;
    *out = find_same(plan, &want);
    if (*out) return ONNXQ_OK;
    oq_weight *w;
    OQ_TRY(new_weight(plan, &want, &w, err));
    oq_tensor data = {0};
    OQ_TRY(oq_constant_load(plan->mem, operand->constant, &data, err));
    const oq_status status = find_params(w, data.data, plan->options.weight_asymmetric,
                                         oq_graph_value(plan->graph, w->value)->name, plan->mem, finite, err);
    if (status == ONNXQ_OK && *finite) quantize(w, data.data);
    oq_tensor_release(&data);
    *out = w;
    return status;
}

oq_status oq_weight_rescale(oq_plan *plan, const oq_weight *weight, const float *scale, oq_weight **out,
                            oq_error *err) {
    oq_weight *w;
    oq_tensor data = {0};
    OQ_TRY(new_weight(plan, weight, &w, err));
    w->raised = true;
    for (size_t c = 0; c < oq_weight_params(w); c++)
        w->params[c] = (oq_qparam){.scale = scale[c], .zero_point = weight->params[c].zero_point};
    OQ_TRY(oq_constant_load(plan->mem, oq_graph_constant(plan->graph, w->value), &data, err));
    quantize(w, data.data);
    oq_tensor_release(&data);
    *out = w;
    return ONNXQ_OK;
}
