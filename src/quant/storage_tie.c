// Tables that a layer on integers multiplies with, too: one copy of the integers serves both.
#include "quant/plan.h"
#include "quant/storage.h"

#define MOST_GROWTH 4.0 // of a row's squared error when it takes the layer's integers

// The layer's integers are [columns, rows] of the table's shape, with a parameter for each row of that.
static bool has_the_form(const oq_stored *stored, const oq_weight *w) {
    return w->written != OQ_NONE && w->carrier == stored->carrier && w->blocks == 1 && w->per_channel &&
           !w->group && !w->factor && w->alpha == 1 && w->step[2] == 1 && w->rows == stored->shape.dim[1] &&
           w->columns == stored->shape.dim[0];
}

static int level_of(const oq_stored *stored, const int8_t *q, size_t index) {
    return stored->grid.is_signed ? q[index] : (uint8_t)q[index];
}

// Squared error of a row whose integers begin at `q` and lie `pitch` apart.
static double row_error(const oq_stored *stored, const float *x, const int8_t *q, size_t pitch, oq_qparam p) {
    double error = 0;
    for (size_t c = 0; c < (size_t)stored->shape.dim[1]; c++) {
        const double wrong = (double)x[c] - (double)oq_dequantize_one(p, level_of(stored, q, c * pitch));
        error += wrong * wrong;
    }
    return error;
}

// Whether the layer's integers are those of the same numbers, rounded in whatever way: no row is much worse
// with them. Nothing else can look like it.
static bool stands_for(const oq_stored *stored, const oq_weight *w, const float *x) {
    const size_t rows = (size_t)stored->shape.dim[0], columns = (size_t)stored->shape.dim[1];
    for (size_t r = 0; r < rows; r++) {
        const int8_t *own = stored->q.data, *other = w->q.data;
        const double nearest = row_error(stored, x + r * columns, own + r * columns, 1, stored->params[r]),
                     error = row_error(stored, x + r * columns, other + r, rows, w->params[r]);
        if (error > MOST_GROWTH * nearest) return false;
    }
    return true;
}

// The integers are transposed into a tensor of the table's own: others may hold on to the one it has.
static oq_status take_over(const oq_storage *s, oq_stored *stored, const oq_weight *w, oq_error *err) {
    const size_t rows = (size_t)stored->shape.dim[0], columns = (size_t)stored->shape.dim[1];
    const int8_t *from = w->q.data;
    oq_tensor q = {0};
    OQ_TRY(oq_tensor_new(s->mem, stored->carrier, &stored->shape, &q, err));
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) ((int8_t *)q.data)[r * columns + c] = from[c * rows + r];
        stored->params[r] = w->params[r];
    }
    oq_tensor_release(&stored->q);
    stored->q = q;
    stored->tied = w->written;
    return ONNXQ_OK;
}

static oq_status tie(const oq_storage *s, oq_stored *stored, const oq_plan *plan, oq_error *err) {
    oq_tensor data = {0};
    for (size_t i = 0; i < plan->weight_count && stored->tied == OQ_NONE; i++) {
        const oq_weight *w = plan->weights[i];
        if (!has_the_form(stored, w) || !oq_graph_value(s->graph, w->written)->use_count) continue;
        if (!data.data) OQ_TRY(oq_constant_load(s->mem, stored->constant, &data, err));
        if (!stands_for(stored, w, data.data)) continue;
        const oq_status status = take_over(s, stored, w, err);
        oq_tensor_release(&data);
        return status;
    }
    oq_tensor_release(&data);
    return ONNXQ_OK;
}

oq_status oq_storage_tie(oq_storage *storage, const oq_plan *plan, oq_error *err) {
    for (size_t i = 0; i < storage->count; i++) {
        oq_stored *stored = &storage->items[i];
        if (stored->table && !stored->dropped && stored->grid.bits == 8 && stored->shape.rank == 2 &&
            stored->granularity.kind == OQ_PER_CHANNEL)
            OQ_TRY(tie(storage, stored, plan, err));
    }
    return ONNXQ_OK;
}
