// A constant operand as a matrix with one row an output channel, and back.
#include "quant/plan.h"

#include <string.h>

// Where the elements of a weight go: calls of `step` in the row-major order of its integers.
typedef struct place {
    size_t index;   // of the integer
    size_t element; // of the float constant
    size_t row;     // in [outputs, depth]
} place;

static inline place place_of(const oq_weight *w, size_t depth, int64_t b, int64_t r, int64_t c) {
    const int64_t output = b * w->step[0] + r * w->step[1] + c * w->step[2], k = w->step[1] ? c : r;
    const int64_t index = (b * w->rows + r) * w->columns + c;
    return (place){.index = (size_t)index,
                   .element = (size_t)(w->transposed ? c * w->rows + r : index),
                   .row = (size_t)output * depth + (size_t)k};
}

static void set_integer(oq_weight *w, size_t index, int32_t q) {
    switch (w->carrier) {
    case ONNXQ_INT16: ((int16_t *)w->q.data)[index] = (int16_t)q; break;
    case ONNXQ_UINT16: ((uint16_t *)w->q.data)[index] = (uint16_t)q; break;
    default: ((uint8_t *)w->q.data)[index] = (uint8_t)q;
    }
}

bool oq_plan_has_rows(const oq_layer *layer, const char **reason) {
    *reason = NULL;
    const oq_weight *w = layer->operand[0].weight ? layer->operand[0].weight : layer->operand[1].weight;
    if (!w)
        *reason = "both operands are activations";
    else if (w->blocks != 1)
        *reason = "its weights are a stack of matrices";
    else if (w->common)
        *reason = "other layers have the same weights";
    else if (w->alpha == 0)
        *reason = "its weights are multiplied by 0";
    return !*reason;
}

bool oq_plan_rows_are_channels(const oq_layer *layer) {
    const oq_weight *w = layer->operand[1].weight;
    const bool none = layer->addend == OQ_NONE || layer->beta == 0; // a bias that comes has one for each row
    return w && w->blocks == 1 && (layer->shape == OQ_LAYER_CONV || none || layer->bias_count == w->outputs);
}

size_t oq_plan_group(const oq_layer *layer) {
    return (layer->operand[0].weight ? layer->operand[0].weight : layer->operand[1].weight)->group;
}

bool oq_plan_is_coarse(const oq_plan *plan) {
    return !plan->options.per_channel || plan->options.weight_bits < 8;
}

static void fill(const oq_weight *w, const float *data, oq_weight_rows *rows) {
    for (int64_t r = 0; r < w->rows; r++)
        for (int64_t c = 0; c < w->columns; c++) {
            const place at = place_of(w, rows->depth, 0, r, c);
            const float x = data[at.element];
            rows->w[at.row] = w->alpha == 1 ? x : (float)(w->alpha * (double)x);
            rows->q[at.row] = oq_weight_at(w, at.index);
        }
    const size_t groups = oq_weight_groups(w);
    for (size_t o = 0; o < rows->outputs; o++)
        for (size_t g = 0; g < groups; g++)
            rows->params[o * groups + g] = oq_weight_param_at(w, o, g * rows->group);
}

oq_status oq_plan_take_rows(const oq_plan *plan, const oq_layer *layer, oq_weight_rows *out, oq_error *err) {
    const int operand = layer->operand[0].weight ? 0 : 1;
    const oq_weight *w = layer->operand[operand].weight;
    *out = (oq_weight_rows){.operand = operand,
                            .outputs = w->outputs,
                            .depth = oq_weight_depth(w),
                            .group = w->group ? w->group : oq_weight_depth(w),
                            .grid = w->grid,
                            .coarse = !w->group && (!w->per_channel || w->grid.bits < 8),
                            .own_scales = w->per_channel && !w->group && !w->factor,
                            .mem = plan->mem};
    oq_tensor data = {0};
    oq_status status;
    OQ_TRY_DONE(oq_constant_load(plan->mem, layer->operand[operand].constant, &data, err));
    out->w = oq_mem_calloc(plan->mem, out->outputs * out->depth + 1, sizeof *out->w, err);
    out->q = oq_mem_calloc(plan->mem, out->outputs * out->depth + 1, sizeof *out->q, err);
    out->params = oq_mem_calloc(plan->mem, out->outputs * oq_weight_groups(w) + 1, sizeof *out->params, err);
    if (!out->w || !out->q || !out->params) {
        status = ONNXQ_NO_MEMORY;
        goto done;
    }
    fill(w, data.data, out);
    status = oq_plan_pair_up(plan, layer, out, err);
done:
    oq_tensor_release(&data);
    return status;
}

void oq_weight_rows_release(oq_weight_rows *rows) {
    if (!rows->mem) return;
    oq_mem_free(rows->mem, rows->w);
    oq_mem_free(rows->mem, rows->q);
    oq_mem_free(rows->mem, rows->params);
    oq_mem_free(rows->mem, rows->partner);
    *rows = (oq_weight_rows){0};
}

static void store(oq_weight *w, const oq_weight_rows *rows) {
    for (int64_t r = 0; r < w->rows; r++)
        for (int64_t c = 0; c < w->columns; c++) {
            const place at = place_of(w, rows->depth, 0, r, c);
            set_integer(w, at.index, rows->q[at.row]);
        }
    for (size_t o = 0; rows->own_scales && o < rows->outputs; o++) w->params[o] = rows->params[o];
    oq_weight_measure(w);
}

static void restore_row(const oq_weight *was, oq_weight *is, oq_weight_rows *rows, size_t output) {
    if (rows->own_scales) is->params[output] = rows->params[output] = was->params[output];
    for (int64_t r = 0; r < is->rows; r++)
        for (int64_t c = 0; c < is->columns; c++) {
            const place at = place_of(is, rows->depth, 0, r, c);
            if (at.row / rows->depth != output) continue;
            rows->q[at.row] = oq_weight_at(was, at.index);
            set_integer(is, at.index, rows->q[at.row]);
        }
}

oq_status oq_plan_set_rows(oq_plan *plan, size_t index, oq_weight_rows *rows, oq_error *err) {
    oq_layer *layer = &plan->layers[index];
    const oq_weight *was = layer->operand[rows->operand].weight;
    oq_weight *is;
    OQ_TRY(oq_plan_begin_edit(plan, layer, err));
    OQ_TRY(oq_weight_copy(plan, was, &is, err));
    store(is, rows);
    layer->operand[rows->operand].weight = is;
    for (size_t o = 0; !layer->wide && o < is->outputs; o++) {
        const float bias = layer->vector && o < layer->bias_count ? layer->bias[o] : 0.0f;
        if (!oq_plan_bias_fits(plan, layer, o, bias)) restore_row(was, is, rows, o);
    }
    oq_weight_measure(is);
    return ONNXQ_OK;
}
