// Weight-only quantization: parameters and integers of what was found, sizes.
#include "quant/storage.h"

#include "quant/plan.h"

#define FIT_EXPONENT    2.4  // of the rounding error that the range search minimises
#define MOST_TABLE_LOSS 3e-4 // 35 dB: squared error of a table's rows over their squares, in the mean

oq_status oq_storage_list(oq_graph *graph, const oq_quant_options *options, oq_storage **out, oq_error *err) {
    *out = NULL;
    OQ_TRY(oq_options_check(options, err));
    oq_mem *mem = graph->model->mem;
    oq_storage *s = *out = oq_mem_calloc(mem, 1, sizeof *s, err);
    if (!s) return ONNXQ_NO_MEMORY;
    s->mem = mem;
    oq_arena_init(&s->arena, mem);
    s->graph = graph;
    s->options = *options;
    return oq_storage_find(s, err);
}

void oq_storage_free(oq_storage *storage) {
    if (!storage) return;
    for (size_t i = 0; i < storage->count; i++) oq_tensor_release(&storage->items[i].q);
    oq_mem_free(storage->mem, storage->items);
    oq_mem_free(storage->mem, storage->uses);
    oq_arena_release(&storage->arena);
    oq_mem_free(storage->mem, storage);
}

// DequantizeLinear came with 10, its axis with 13, blocks and 16- and 4-bit types with 21, 2-bit types
// with 25.
static int64_t opset_of(const oq_stored *stored) {
    if (stored->table) return stored->granularity.kind == OQ_PER_GROUP ? 21 : 13; // a tied layer's scales
    if (oq_dtype_info(stored->carrier)->bits == 2) return 25;
    if (oq_dtype_info(stored->carrier)->bits != 8 || stored->granularity.kind == OQ_PER_GROUP) return 21;
    return stored->granularity.kind == OQ_PER_CHANNEL ? 13 : 10;
}

oq_status oq_storage_opset(oq_graph *graph, const oq_quant_options *options, int64_t *opset, oq_error *err) {
    oq_storage *s = NULL;
    *opset = 1;
    const oq_status status = oq_storage_list(graph, options, &s, err);
    for (size_t i = 0; status == ONNXQ_OK && i < s->count; i++)
        if (opset_of(&s->items[i]) > *opset) *opset = opset_of(&s->items[i]);
    oq_storage_free(s);
    return status;
}

oq_status oq_storage_any(oq_graph *graph, const oq_quant_options *options, bool *any, oq_error *err) {
    oq_storage *s = NULL;
    const oq_status status = oq_storage_list(graph, options, &s, err);
    *any = s && s->count;
    oq_storage_free(s);
    return status;
}

// --- numbers ---

// The mean squares of the channels that a weight multiplies, from the statistics of the other operand of its
// first reader; NULL when they are not known. A block of the storage's mem.
static oq_status channel_power(const oq_storage *s, size_t index, double **power, oq_error *err) {
    *power = NULL;
    size_t u = 0;
    while (u < s->use_count && (s->uses[u].reason || s->uses[u].stored != index)) u++;
    const oq_stored_use *use = &s->uses[u];
    if (!s->stats || u == s->use_count || use->input != 1 || use->reader != use->node) return ONNXQ_OK;
    const oq_node *node = oq_graph_node(s->graph, use->node);
    const oq_tensor_stats *t = oq_stats_find(s->stats, oq_graph_value(s->graph, node->inputs[0])->name);
    const oq_stored *stored = &s->items[index];
    if (!t || !t->channels || stored->reduction < 0 ||
        (int64_t)t->channels != stored->constant->shape.dim[stored->reduction])
        return ONNXQ_OK;
    *power = oq_mem_calloc(s->mem, t->channels, sizeof **power, err);
    if (!*power) return ONNXQ_NO_MEMORY;
    oq_stats_channel_power(t, 0, NULL, *power);
    return ONNXQ_OK;
}

// The same for each element of the weight.
static oq_status importance_of(const oq_storage *s, size_t index, float **out, oq_error *err) {
    const oq_stored *stored = &s->items[index];
    const oq_shape *shape = &stored->constant->shape;
    const size_t count = (size_t)oq_shape_count(shape);
    double *power;
    *out = NULL;
    OQ_TRY(channel_power(s, index, &power, err));
    if (!power) return ONNXQ_OK;
    *out = oq_mem_calloc(s->mem, count, sizeof **out, err);
    const size_t channels = (size_t)shape->dim[stored->reduction],
                 inner = (size_t)oq_shape_range_count(shape, stored->reduction + 1, shape->rank);
    for (size_t i = 0; *out && i < count; i++) (*out)[i] = (float)power[i / inner % channels];
    oq_mem_free(s->mem, power);
    return *out ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

// Squared error over squares of a table's rows, in the mean over the rows that are not 0: which of them will
// be looked up is not known. Tables of 8 bits alone.
static double table_loss(const oq_stored *stored, const float *x) {
    const size_t rows = (size_t)stored->shape.dim[0];
    const size_t columns = (size_t)oq_shape_range_count(&stored->shape, 1, stored->shape.rank);
    const size_t params = oq_layout_params(&stored->layout);
    const int8_t *q = stored->q.data;
    double sum = 0, counted = 0;
    for (size_t r = 0; r < rows; r++) {
        const oq_qparam *p = &stored->params[params == rows ? r : 0];
        double power = 0, error = 0;
        for (size_t i = r * columns; i < (r + 1) * columns; i++) {
            const int level = stored->grid.is_signed ? q[i] : (uint8_t)q[i];
            const double wrong = (double)x[i] - (double)(level - p->zero_point) * (double)p->scale;
            power += (double)x[i] * (double)x[i];
            error += wrong * wrong;
        }
        if (power > 0) sum += error / power, counted++;
    }
    return counted > 0 ? sum / counted : 0;
}

static oq_status quantize(const oq_storage *s, oq_stored *stored, const float *x, const float *importance,
                          oq_error *err) {
    // The whole range is best as a rule; with few bits the largest weights cost the others too much.
    const oq_fit fit = {.symmetric = !s->options.weight_asymmetric,
                        .exponent = stored->grid.bits >= OQ_WHOLE_RANGE_BITS ? 0
                                    : importance                             ? 2
                                                                             : FIT_EXPONENT,
                        .importance = importance,
                        .half_quadratic = s->options.half_quadratic};
    size_t bad;
    if (oq_layout_find_bad(&stored->layout, x, &bad)) {
        stored->dropped = "its weights hold NaN or infinity";
        return ONNXQ_OK;
    }
    OQ_TRY(oq_layout_fit(s->mem, &stored->layout, &stored->grid, &fit, x,
                         oq_graph_value(s->graph, stored->value)->name, stored->params, err));
    OQ_TRY(oq_tensor_new(s->mem, stored->carrier, &stored->shape, &stored->q, err));
    oq_layout_quantize(&stored->layout, &stored->grid, stored->params, x, stored->carrier, stored->q.data);
    if (stored->table && s->options.embedding_by_gain && oq_dtype_info(stored->carrier)->bits == 8 &&
        table_loss(stored, x) > MOST_TABLE_LOSS)
        stored->dropped = "its rows would keep less than 35 dB in the mean";
    return ONNXQ_OK;
}

static oq_status make(oq_storage *s, size_t index, oq_error *err) {
    oq_stored *stored = &s->items[index];
    oq_tensor data = {0};
    float *importance;
    stored->params =
        oq_arena_calloc(&s->arena, oq_layout_params(&stored->layout), sizeof *stored->params, err);
    if (!stored->params) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_constant_load(s->mem, stored->constant, &data, err));
    oq_status status = importance_of(s, index, &importance, err);
    if (status == ONNXQ_OK) status = quantize(s, stored, data.data, importance, err);
    oq_mem_free(s->mem, importance);
    oq_tensor_release(&data);
    return status;
}

oq_status oq_storage_make(oq_graph *graph, const oq_stats *stats, const oq_quant_options *options,
                          oq_storage **out, oq_error *err) {
    *out = NULL;
    oq_storage *s = NULL;
    oq_status status = oq_storage_list(graph, options, &s, err);
    if (s) s->stats = stats;
    for (size_t i = 0; status == ONNXQ_OK && i < s->count; i++) status = make(s, i, err);
    if (status == ONNXQ_OK)
        *out = s;
    else
        oq_storage_free(s);
    return status;
}

// --- sizes ---

uint64_t oq_stored_bytes_before(const oq_stored *stored) { return oq_constant_bytes(stored->constant); }

uint64_t oq_stored_bytes_after(const oq_stored *stored) {
    if (stored->dropped) return oq_stored_bytes_before(stored);
    const size_t params = oq_layout_params(&stored->layout);
    const size_t zeros = oq_stored_has_zeros(stored) ? oq_packed_bytes(stored->carrier, params) : 0;
    const uint64_t integers =
        oq_packed_bytes(stored->carrier, (size_t)oq_shape_count(&stored->constant->shape));
    return (stored->tied == OQ_NONE ? integers : 0) + zeros + params * sizeof(float);
}
