// Errors layer by layer, sample by sample. A layer is what lies in the second model between one common value
// and the common values next above it.
#include "verify/layers.h"
#include "verify/compare.h"
#include "verify/slice.h"

#include <math.h>
#include <string.h>

struct oq_layer {
    oq_slice alone; // of the second model, on what it reads; `inputs` are carriers
    // The same of the reference, on the same values as floats; not there when nothing that the layer reads is
    // rounded, or when the reference reads more.
    oq_slice original;
};

struct oq_layer_sample {
    oq_difference total, arising;
    uint64_t elements, at_ends, cut_off;
};

// Whether the carrier is made by a layer: all but the graph's inputs.
static bool is_made(const oq_layers *l, const oq_carrier *c) {
    return oq_graph_value(l->model, c->model)->producer != OQ_NONE;
}

static oq_status make_original(oq_layers *l, const oq_carrier *c, oq_layer *layer, oq_error *err) {
    bool rounded = false;
    for (size_t i = 0; i < layer->alone.input_count; i++)
        rounded |= l->carriers.items[layer->alone.inputs[i]].integer;
    if (!rounded) return ONNXQ_OK;
    int32_t *ends = oq_mem_alloc(l->mem, l->reference->value_count * sizeof *ends, err);
    if (!ends) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < l->reference->value_count; i++) ends[i] = -1;
    for (size_t i = 0; i < layer->alone.input_count; i++)
        ends[l->carriers.items[layer->alone.inputs[i]].reference] = layer->alone.inputs[i];
    oq_status status = ONNXQ_OK;
    if (ends[c->reference] < 0)
        status = oq_slice_make(l->mem, l->reference, c->reference, ends, false, &layer->original, err);
    oq_mem_free(l->mem, ends);
    return status;
}

static oq_status make_layers(oq_layers *l, oq_error *err) {
    for (size_t i = 0; i < l->carriers.count; i++) {
        const oq_carrier *c = &l->carriers.items[i];
        l->in_reference[c->reference] = true;
        l->in_model[c->model] = is_made(l, c);
        if (!is_made(l, c)) continue;
        oq_layer *layer = &l->items[i];
        OQ_TRY(
            oq_slice_make(l->mem, l->model, c->model, l->carriers.of, l->saturate_pairs, &layer->alone, err));
        OQ_TRY(make_original(l, c, layer, err));
    }
    return ONNXQ_OK;
}

oq_status oq_layers_init(oq_layers *layers, oq_mem *mem, oq_graph *reference, oq_graph *model,
                         const oq_dataset *data, size_t samples, bool saturate_pairs, size_t threads,
                         oq_error *err) {
    *layers = (oq_layers){.mem = mem,
                          .reference = reference,
                          .model = model,
                          .data = data,
                          .threads = threads,
                          .samples = samples,
                          .saturate_pairs = saturate_pairs};
    OQ_TRY(oq_carriers_find(mem, reference, model, &layers->carriers, err));
    size_t cells;
    if (!oq_mul_size(samples, layers->carriers.count, &cells))
        return oq_fail(err, ONNXQ_NO_MEMORY, "too many samples for a layer report");
    layers->in_reference = oq_mem_calloc(mem, reference->value_count, sizeof(bool), err);
    layers->in_model = oq_mem_calloc(mem, model->value_count, sizeof(bool), err);
    layers->items = oq_mem_calloc(mem, layers->carriers.count, sizeof *layers->items, err);
    layers->results = oq_mem_calloc(mem, cells, sizeof *layers->results, err);
    layers->stats = oq_mem_calloc(mem, threads, sizeof(oq_stats *), err);
    if (!layers->in_reference || !layers->in_model || !layers->items || !layers->results || !layers->stats)
        return ONNXQ_NO_MEMORY;
    for (size_t t = 0; t < threads; t++) OQ_TRY(oq_stats_new(mem, &layers->stats[t], err));
    return make_layers(layers, err);
}

void oq_layers_release(oq_layers *layers) {
    if (!layers->mem) return;
    for (size_t i = 0; layers->items && i < layers->carriers.count; i++) {
        oq_slice_release(layers->mem, &layers->items[i].alone);
        oq_slice_release(layers->mem, &layers->items[i].original);
    }
    for (size_t t = 0; layers->stats && t < layers->threads; t++) oq_stats_free(layers->stats[t]);
    oq_mem_free(layers->mem, layers->stats);
    oq_mem_free(layers->mem, layers->items);
    oq_mem_free(layers->mem, layers->results);
    oq_mem_free(layers->mem, layers->in_reference);
    oq_mem_free(layers->mem, layers->in_model);
    oq_carriers_release(&layers->carriers);
    *layers = (oq_layers){0};
}

// The rows of a batch that are samples.
static oq_tensor real_rows(const oq_layers_sample *sample, const oq_tensor *tensor) {
    size_t real, rows;
    oq_tensor part = *tensor;
    oq_dataset_rows(sample->layers->data, sample->data_index, &real, &rows);
    if (real < rows && part.shape.rank && (size_t)part.shape.dim[0] == rows)
        part.shape.dim[0] = (int64_t)real;
    return part;
}

static oq_status keep(void *self, oq_value_id id, const oq_value *value, oq_error *err) {
    oq_layers_sample *sample = self;
    const oq_layers *l = sample->layers;
    oq_value_release(&sample->seen[id]);
    sample->seen[id] = oq_value_retain(value);
    if (value->kind != OQ_VALUE_TENSOR) return ONNXQ_OK;
    oq_tensor_stats *stats;
    OQ_TRY(oq_stats_ensure(l->stats[sample->worker], oq_graph_value(l->reference, id)->name, &stats, err));
    const oq_tensor part = real_rows(sample, &value->tensor);
    return oq_stats_add(stats, l->mem, &part, sample->data_index, err);
}

// `value` as the second model carries it against the floats that it stands for.
static oq_status difference_of(const oq_layers_sample *sample, const oq_carrier *c, const oq_value *reference,
                               const oq_value *value, oq_difference *out, oq_error *err) {
    const oq_layers *l = sample->layers;
    oq_tensor floats = {0};
    size_t real, rows;
    if (reference->kind != OQ_VALUE_TENSOR || value->kind != OQ_VALUE_TENSOR) return ONNXQ_OK;
    oq_dataset_rows(l->data, sample->data_index, &real, &rows);
    OQ_TRY((c->integer ? oq_carrier_dequantize : oq_carrier_cut)(c, l->mem, &value->tensor, &floats, err));
    oq_compare_tensors(&reference->tensor, &floats, real, rows, out);
    oq_tensor_release(&floats);
    return ONNXQ_OK;
}

enum { BLOCK = 256 };

// `y` in the reference, `q` the integers of one channel.
static void count_span(const oq_carrier *c, size_t channel, const double *y, const double *q, size_t n,
                       oq_layer_sample *out) {
    const double half = 0.5 * (double)c->params[channel].scale, low = oq_carrier_low(c, channel) - half,
                 high = oq_carrier_high(c, channel) + half;
    for (size_t i = 0; i < n; i++) {
        out->at_ends += q[i] <= c->grid.qmin || q[i] >= c->grid.qmax;
        out->cut_off += y[i] < low || y[i] > high;
    }
}

static oq_status count_ends(const oq_layers_sample *sample, const oq_carrier *c, const oq_tensor *integers,
                            oq_layer_sample *out, oq_error *err) {
    oq_tensor own = {0};
    OQ_TRY(oq_carrier_cut(c, sample->layers->mem, integers, &own, err));
    const oq_tensor q = real_rows(sample, &own), *y = &sample->seen[c->reference].tensor;
    const size_t count = (size_t)oq_tensor_count(&q), y_bytes = oq_dtype_bytes(y->dtype),
                 q_bytes = oq_dtype_bytes(q.dtype);
    const int axis = c->axis < 0 ? c->axis + q.shape.rank : c->axis;
    const bool by_channel = c->channels > 1;
    // Elements of one channel that follow each other, and channels.
    const size_t inner = by_channel ? (size_t)oq_shape_range_count(&q.shape, axis + 1, q.shape.rank) : count,
                 channels = by_channel ? (size_t)q.shape.dim[axis] : 1;
    double floats[BLOCK], numbers[BLOCK];
    for (size_t i = 0, n; i < count; i += n) {
        n = inner - i % inner < BLOCK ? inner - i % inner : BLOCK;
        oq_load_f64(y->dtype, (const char *)y->data + i * y_bytes, floats, n);
        oq_load_f64(q.dtype, (const char *)q.data + i * q_bytes, numbers, n);
        count_span(c, i / inner % channels, floats, numbers, n, out);
    }
    out->elements = count;
    oq_tensor_release(&own);
    return ONNXQ_OK;
}

static oq_layer_sample *result_of(const oq_layers_sample *sample, size_t item) {
    return &sample->layers->results[sample->index * sample->layers->carriers.count + item];
}

static oq_status compare_seen(void *self, oq_value_id id, const oq_value *value, oq_error *err) {
    oq_layers_sample *sample = self;
    const int32_t item = sample->layers->carriers.of[id];
    const oq_carrier *c = &sample->layers->carriers.items[item];
    oq_layer_sample *result = result_of(sample, (size_t)item);
    OQ_TRY(difference_of(sample, c, &sample->seen[c->reference], value, &result->total, err));
    if (c->integer && sample->seen[c->reference].kind == OQ_VALUE_TENSOR && !result->total.resized)
        return count_ends(sample, c, &value->tensor, result, err);
    return ONNXQ_OK;
}

oq_status oq_layers_begin(oq_layers *layers, size_t index, size_t data_index, size_t worker,
                          oq_layers_sample *out, oq_error *err) {
    *out = (oq_layers_sample){.index = index, .data_index = data_index, .worker = worker};
    if (!layers->mem) return ONNXQ_OK;
    out->layers = layers;
    out->reference = (oq_observer){out, keep};
    out->model = (oq_observer){out, compare_seen};
    out->seen = oq_mem_calloc(layers->mem, layers->reference->value_count, sizeof *out->seen, err);
    return out->seen ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

const oq_observer *oq_layers_observe_reference(oq_layers_sample *sample) {
    return sample->layers ? &sample->reference : NULL;
}
const oq_observer *oq_layers_observe_model(oq_layers_sample *sample) {
    return sample->layers ? &sample->model : NULL;
}

// What the layer reads when it is what the reference has: as the second model carries it, and as the float of
// the reference's type that this stands for.
static oq_status make_input(const oq_layers_sample *sample, const oq_carrier *c, oq_value *carried,
                            oq_value *original, oq_error *err) {
    oq_mem *mem = sample->layers->mem;
    const oq_value *reference = &sample->seen[c->reference];
    *original = oq_value_retain(reference);
    if (reference->kind != OQ_VALUE_TENSOR) {
        *carried = oq_value_retain(reference);
        return ONNXQ_OK;
    }
    oq_tensor q = {0}, floats = {0}, rounded;
    OQ_TRY((c->integer ? oq_carrier_quantize : oq_carrier_widen)(c, mem, &reference->tensor, &q, err));
    *carried = oq_value_of_tensor(q);
    if (!c->integer) return ONNXQ_OK;
    OQ_TRY(oq_carrier_dequantize(c, mem, &q, &floats, err));
    const oq_status status = oq_tensor_new(mem, reference->tensor.dtype, &floats.shape, &rounded, err);
    if (status == ONNXQ_OK) {
        oq_store_f32(rounded.dtype, floats.data, rounded.data, (size_t)oq_tensor_count(&floats));
        oq_value_release(original);
        *original = oq_value_of_tensor(rounded);
    }
    oq_tensor_release(&floats);
    return status;
}

// What the reference makes of the layer's `inputs`: of what it would itself give where the layer is not
// there.
static oq_status run_original(oq_layers_sample *sample, size_t item, const oq_value *inputs, oq_value *out,
                              oq_error *err) {
    const oq_layers *l = sample->layers;
    const oq_layer *layer = &l->items[item];
    const oq_slice *alone = &layer->alone;
    const oq_slice *original = &layer->original;
    if (!original->program) {
        *out = oq_value_retain(&sample->seen[l->carriers.items[item].reference]);
        return ONNXQ_OK;
    }
    oq_value *given = oq_mem_calloc(l->mem, original->input_count, sizeof *given, err);
    if (!given) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < original->input_count; i++)
        for (size_t k = 0; k < alone->input_count; k++)
            if (alone->inputs[k] == original->inputs[i]) given[i] = inputs[k]; // borrowed
    const oq_status status = oq_slice_run(original, given, out, err);
    oq_mem_free(l->mem, given);
    return status;
}

static oq_status run_alone(oq_layers_sample *sample, size_t item, oq_error *err) {
    const oq_layers *l = sample->layers;
    const oq_slice *alone = &l->items[item].alone;
    const size_t count = alone->input_count;
    oq_value *inputs = oq_mem_calloc(l->mem, 2 * count, sizeof *inputs, err), output = {0}, original = {0};
    if (!inputs) return ONNXQ_NO_MEMORY;
    oq_status status;
    for (size_t i = 0; i < count; i++)
        OQ_TRY_DONE(
            make_input(sample, &l->carriers.items[alone->inputs[i]], &inputs[i], &inputs[count + i], err));
    OQ_TRY_DONE(oq_slice_run(alone, inputs, &output, err));
    OQ_TRY_DONE(run_original(sample, item, inputs + count, &original, err));
    status = difference_of(sample, &l->carriers.items[item], &original, &output,
                           &result_of(sample, item)->arising, err);
done:
    for (size_t i = 0; i < 2 * count; i++) oq_value_release(&inputs[i]);
    oq_value_release(&output);
    oq_value_release(&original);
    oq_mem_free(l->mem, inputs);
    return status;
}

oq_status oq_layers_arising(oq_layers_sample *sample, oq_error *err) {
    const oq_layers *l = sample->layers;
    for (size_t i = 0; l && i < l->carriers.count; i++)
        if (l->items[i].alone.program) OQ_TRY(run_alone(sample, i, err));
    return ONNXQ_OK;
}

void oq_layers_end(oq_layers_sample *sample) {
    if (!sample->layers) return;
    for (size_t i = 0; sample->seen && i < sample->layers->reference->value_count; i++)
        oq_value_release(&sample->seen[i]);
    oq_mem_free(sample->layers->mem, sample->seen);
    sample->seen = NULL;
}

// The histogram in as many bins as a sketch has.
static void draw(const oq_tensor_stats *stats, oq_layer_difference *out) {
    const oq_histogram *h = &stats->histogram;
    const double width = ldexp(1, h->exponent), span = out->high - out->low;
    for (int b = 0; h->used && b < OQ_STATS_BINS; b++) {
        const double middle = ((double)h->first + b + 0.5) * width;
        const double at = span > 0 ? floor((middle - out->low) / span * OQ_SKETCH_BINS) : 0;
        out->sketch[(int)fmin(fmax(at, 0), OQ_SKETCH_BINS - 1)] += h->count[b];
    }
}

static void describe(const oq_layers *l, const oq_stats *stats, const oq_carrier *c,
                     oq_layer_difference *out) {
    const oq_gvalue *value = oq_graph_value(l->reference, c->reference);
    const oq_tensor_stats *seen = oq_stats_find(stats, value->name);
    out->name = value->name;
    out->op_type = value->producer == OQ_NONE ? "" : oq_graph_node(l->reference, value->producer)->op_type;
    out->carrier = oq_dtype_info(oq_graph_value(l->model, c->model)->type.dtype)->name;
    out->low = out->high = out->grid_low = out->grid_high = (double)NAN;
    for (size_t i = 0; c->integer && i < c->channels; i++) {
        out->grid_low = fmin(out->grid_low, oq_carrier_low(c, i));
        out->grid_high = fmax(out->grid_high, oq_carrier_high(c, i));
    }
    if (!seen || !(seen->min <= seen->max)) return;
    out->low = (double)seen->min;
    out->high = (double)seen->max;
    draw(seen, out);
}

static void combine_samples(const oq_layers *l, size_t item, oq_layer_difference *out) {
    for (size_t s = 0; s < l->samples; s++) {
        const oq_layer_sample *r = &l->results[s * l->carriers.count + item];
        oq_difference_add(&out->total, &r->total);
        oq_difference_add(&out->arising, &r->arising);
        out->elements += r->elements;
        out->at_ends += r->at_ends;
        out->cut_off += r->cut_off;
    }
}

oq_status oq_layers_combine(const oq_layers *layers, oq_layer_difference **out, size_t *count,
                            oq_error *err) {
    const oq_carriers *carriers = &layers->carriers;
    if (!layers->mem) return ONNXQ_OK;
    for (size_t t = 1; t < layers->threads; t++)
        OQ_TRY(oq_stats_merge(layers->stats[0], layers->stats[t], err));
    oq_layer_difference *all = oq_mem_calloc(layers->mem, carriers->count, sizeof *all, err);
    if (!all) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < carriers->count; i++) {
        describe(layers, layers->stats[0], &carriers->items[i], &all[i]);
        combine_samples(layers, i, &all[i]);
    }
    for (size_t i = 0; i < carriers->count; i++) {
        all[i].arriving = (double)INFINITY;
        const oq_slice *alone = &layers->items[i].alone;
        for (size_t k = 0; k < alone->input_count; k++)
            all[i].arriving = fmin(all[i].arriving, oq_difference_sqnr(&all[alone->inputs[k]].total));
    }
    for (size_t i = 0; i < carriers->count; i++)
        if (is_made(layers, &carriers->items[i])) all[(*count)++] = all[i];
    *out = all;
    return ONNXQ_OK;
}
