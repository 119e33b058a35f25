// Statistics of the tensors of one model: collecting and merging.
#include "stats/stats.h"
#include "kernels/rows.h"

#include <math.h>
#include <string.h>

oq_status oq_stats_new(oq_mem *mem, oq_stats **out, oq_error *err) {
    *out = oq_mem_calloc(mem, 1, sizeof **out, err);
    if (!*out) return ONNXQ_NO_MEMORY;
    (*out)->mem = mem;
    oq_map_init(&(*out)->names, mem);
    return ONNXQ_OK;
}

void oq_stats_free(oq_stats *stats) {
    if (!stats) return;
    for (size_t i = 0; i < stats->count; i++) {
        oq_tensor_stats *t = stats->tensors[i];
        oq_mem_free(stats->mem, t->channel_min);
        oq_mem_free(stats->mem, t->channel_max);
        oq_mem_free(stats->mem, t->channel_sum);
        oq_mem_free(stats->mem, t->levels);
        oq_mem_free(stats->mem, (void *)(uintptr_t)t->name);
        oq_mem_free(stats->mem, t);
    }
    oq_mem_free(stats->mem, stats->tensors);
    oq_map_release(&stats->names);
    oq_mem_free(stats->mem, stats);
}

oq_tensor_stats *oq_stats_find(const oq_stats *stats, const char *tensor) {
    const int32_t index = oq_map_get(&stats->names, tensor, -1);
    return index < 0 ? NULL : stats->tensors[index];
}

static oq_status new_entry(oq_stats *stats, const char *tensor, oq_tensor_stats **out, oq_error *err) {
    const size_t length = strlen(tensor) + 1;
    oq_tensor_stats *entry = oq_mem_calloc(stats->mem, 1, sizeof *entry, err);
    char *name = entry ? oq_mem_alloc(stats->mem, length, err) : NULL;
    if (!name) {
        oq_mem_free(stats->mem, entry);
        return ONNXQ_NO_MEMORY;
    }
    memcpy(name, tensor, length);
    entry->name = name;
    entry->min = INFINITY;
    entry->max = -INFINITY;
    entry->first_bad_sample = UINT64_MAX;
    entry->axis = -1;
    *out = entry;
    return ONNXQ_OK;
}

oq_status oq_stats_ensure(oq_stats *stats, const char *tensor, oq_tensor_stats **out, oq_error *err) {
    *out = oq_stats_find(stats, tensor);
    if (*out) return ONNXQ_OK;
    OQ_TRY(oq_mem_reserve(stats->mem, (void **)&stats->tensors, stats->count, &stats->capacity,
                          sizeof(oq_tensor_stats *), err));
    OQ_TRY(new_entry(stats, tensor, out, err));
    stats->tensors[stats->count++] = *out; // from here on oq_stats_free knows it
    return oq_map_set(&stats->names, (*out)->name, (int32_t)(stats->count - 1), err);
}

oq_status oq_stats_repeat(oq_stats *stats, const char *from, const char *to, oq_error *err) {
    const oq_tensor_stats *t = oq_stats_find(stats, from);
    oq_tensor_stats *copy;
    if (!t) return ONNXQ_OK;
    OQ_TRY(oq_stats_ensure(stats, to, &copy, err));
    copy->min = t->min, copy->max = t->max;
    copy->count = t->count, copy->zero = t->zero;
    copy->nan = t->nan, copy->infinite = t->infinite, copy->first_bad_sample = t->first_bad_sample;
    copy->sum = t->sum, copy->sum_squares = t->sum_squares;
    copy->histogram = t->histogram;
    return ONNXQ_OK;
}

static oq_status channels_new(oq_tensor_stats *t, oq_mem *mem, size_t channels, oq_error *err) {
    t->channel_min = oq_mem_calloc(mem, channels, sizeof *t->channel_min, err);
    t->channel_max = oq_mem_calloc(mem, channels, sizeof *t->channel_max, err);
    t->channel_sum = oq_mem_calloc(mem, channels, sizeof *t->channel_sum, err);
    if (t->counts_levels) t->levels = oq_mem_calloc(mem, channels, sizeof *t->levels, err);
    if (!t->channel_min || !t->channel_max || !t->channel_sum || (t->counts_levels && !t->levels))
        return ONNXQ_NO_MEMORY;
    t->channels = channels;
    for (size_t c = 0; c < channels; c++) {
        t->channel_min[c] = INFINITY;
        t->channel_max[c] = -INFINITY;
    }
    return ONNXQ_OK;
}

// Runs shorter than this cost less one by one.
#define LEAST_ROW 16

// One tensor of one sample on its way into the statistics.
typedef struct addition {
    oq_tensor_stats *into;
    uint64_t sample;
    double sum, squares;
} addition;

// `n` values of the tensor.
static void note(addition *a, const oq_rows_stats *s, size_t n) {
    oq_tensor_stats *t = a->into;
    // Adding zero makes -0 to 0: which of them came first must not show.
    if (s->min < t->min) t->min = s->min + 0.0F;
    if (s->max > t->max) t->max = s->max + 0.0F;
    t->count += n;
    t->zero += s->zero;
    t->nan += s->nan;
    t->infinite += s->infinite;
    if ((s->nan || s->infinite) && a->sample < t->first_bad_sample) t->first_bad_sample = a->sample;
    a->sum += s->sum;
    a->squares += s->sum_squares;
}

// A short run of one channel.
static void add_short(const float *x, size_t n, float *min, float *max, double *sum) {
    for (size_t i = 0; i < n; i++) {
        const float v = x[i];
        if (!isfinite(v)) continue;
        if (v < *min) *min = v + 0.0F; // 0 for -0, whichever comes first
        if (v > *max) *max = v + 0.0F;
        *sum += (double)v;
    }
}

// A long one, which counts for the tensor, too.
static void add_long(addition *a, const float *x, size_t n, float *min, float *max, double *sum) {
    oq_rows_stats s;
    oq_rows_statistics(x, n, &s);
    if (s.min < *min) *min = s.min + 0.0F;
    if (s.max > *max) *max = s.max + 0.0F;
    *sum += s.sum;
    note(a, &s, n);
}

static bool has_axis(const oq_tensor_stats *t, const oq_shape *shape) {
    return t->axis >= 0 && t->axis < shape->rank;
}

static bool has_long_runs(const oq_tensor_stats *t, const oq_shape *shape) {
    return has_axis(t, shape) && oq_shape_range_count(shape, t->axis + 1, shape->rank) >= LEAST_ROW;
}

// x [outer, channels, inner] float32.
static oq_status add_channels(addition *a, oq_mem *mem, const oq_shape *shape, const float *x,
                              oq_error *err) {
    oq_tensor_stats *t = a->into;
    if (!has_axis(t, shape)) return ONNXQ_OK;
    const size_t outer = (size_t)oq_shape_range_count(shape, 0, t->axis),
                 channels = (size_t)shape->dim[t->axis];
    const size_t inner = (size_t)oq_shape_range_count(shape, t->axis + 1, shape->rank);
    if (!t->channels) OQ_TRY(channels_new(t, mem, channels, err));
    if (t->channels != channels)
        return oq_fail(err, ONNXQ_BAD_DATA, "'%s' has %zu channels in one sample and %zu in another", t->name,
                       t->channels, channels);
    double *sum = oq_mem_calloc(mem, channels + 1, sizeof *sum, err);
    if (!sum) return ONNXQ_NO_MEMORY;
    // In the order of memory; every channel's own sum goes along the outer axes, then along the inner ones.
    for (size_t o = 0; o < outer; o++)
        for (size_t c = 0; c < channels; c++) {
            const float *own = x + (o * channels + c) * inner;
            if (inner >= LEAST_ROW)
                add_long(a, own, inner, &t->channel_min[c], &t->channel_max[c], &sum[c]);
            else
                add_short(own, inner, &t->channel_min[c], &t->channel_max[c], &sum[c]);
            if (t->levels) oq_levels_add(&t->levels[c], own, inner);
        }
    for (size_t c = 0; c < channels; c++) oq_channel_sum_add(&t->channel_sum[c], sum[c]);
    oq_mem_free(mem, sum);
    t->channel_count += outer * inner;
    return ONNXQ_OK;
}

static oq_status add_values(addition *a, oq_mem *mem, const oq_shape *shape, const float *x, size_t n,
                            oq_error *err) {
    oq_tensor_stats *t = a->into;
    if (!has_long_runs(t, shape)) {
        oq_rows_stats s;
        oq_rows_statistics(x, n, &s);
        note(a, &s, n);
    }
    OQ_TRY(add_channels(a, mem, shape, x, err));
    oq_histogram_add(&t->histogram, x, n, t->min, t->max);
    return ONNXQ_OK;
}

oq_status oq_stats_add(oq_tensor_stats *into, oq_mem *mem, const oq_tensor *tensor, uint64_t sample,
                       oq_error *err) {
    const size_t count = (size_t)oq_tensor_count(tensor);
    addition a = {.into = into, .sample = sample};
    if (tensor->dtype == ONNXQ_FLOAT) {
        OQ_TRY(add_values(&a, mem, &tensor->shape, tensor->data, count, err));
    } else {
        float *x = oq_mem_calloc(mem, count ? count : 1, sizeof *x, err);
        if (!x) return ONNXQ_NO_MEMORY;
        oq_load_f32(tensor->dtype, tensor->data, x, count);
        const oq_status status = add_values(&a, mem, &tensor->shape, x, count, err);
        oq_mem_free(mem, x);
        OQ_TRY(status);
    }
    oq_exact_sum_add(&into->sum, a.sum);
    oq_exact_sum_add(&into->sum_squares, a.squares);
    return ONNXQ_OK;
}

static oq_status merge_channels(oq_tensor_stats *into, const oq_tensor_stats *other, oq_mem *mem,
                                oq_error *err) {
    if (!other->channels) return ONNXQ_OK;
    if (!into->channels) OQ_TRY(channels_new(into, mem, other->channels, err));
    if (into->channels != other->channels || into->axis != other->axis ||
        (into->levels != NULL) != (other->levels != NULL))
        return oq_fail(err, ONNXQ_BAD_DATA,
                       "the statistics of '%s' have different channels: they are of different models",
                       into->name);
    for (size_t c = 0; c < into->channels; c++) {
        into->channel_min[c] = fminf(into->channel_min[c], other->channel_min[c]);
        into->channel_max[c] = fmaxf(into->channel_max[c], other->channel_max[c]);
        oq_channel_sum_merge(&into->channel_sum[c], &other->channel_sum[c]);
        if (into->levels) oq_levels_merge(&into->levels[c], &other->levels[c]);
    }
    into->channel_count += other->channel_count;
    return ONNXQ_OK;
}

static oq_status merge_tensor(oq_tensor_stats *into, const oq_tensor_stats *other, oq_mem *mem,
                              oq_error *err) {
    if (!into->count) into->axis = other->axis, into->counts_levels = other->counts_levels;
    into->min = fminf(into->min, other->min);
    into->max = fmaxf(into->max, other->max);
    into->count += other->count;
    into->zero += other->zero;
    into->nan += other->nan;
    into->infinite += other->infinite;
    if (other->first_bad_sample < into->first_bad_sample) into->first_bad_sample = other->first_bad_sample;
    oq_exact_sum_merge(&into->sum, &other->sum);
    oq_exact_sum_merge(&into->sum_squares, &other->sum_squares);
    oq_histogram_merge(&into->histogram, &other->histogram, into->min, into->max);
    return merge_channels(into, other, mem, err);
}

oq_status oq_stats_merge(oq_stats *into, const oq_stats *other, oq_error *err) {
    if (into->samples && other->samples && !oq_hash_equal(into->model, other->model))
        return oq_fail(err, ONNXQ_BAD_DATA, "the statistics are of different models and cannot be merged");
    if (!into->samples) into->model = other->model;
    // A data set's hash is the sum of its samples' hashes, so that parts add up to the whole in any order.
    into->data.low += other->data.low;
    into->data.high += other->data.high;
    into->synthetic |= other->synthetic;
    into->given |= other->given;
    into->samples += other->samples;
    for (size_t i = 0; i < other->count; i++) {
        oq_tensor_stats *mine;
        OQ_TRY(oq_stats_ensure(into, other->tensors[i]->name, &mine, err));
        OQ_TRY(merge_tensor(mine, other->tensors[i], into->mem, err));
    }
    return ONNXQ_OK;
}

void oq_stats_channel_power(const oq_tensor_stats *t, double least_share, double *reach, double *power) {
    double largest = 0, squares = 0;
    for (size_t c = 0; c < t->channels; c++) {
        power[c] = fmax(fabs((double)t->channel_min[c]), fabs((double)t->channel_max[c]));
        largest = fmax(largest, power[c]);
    }
    for (size_t c = 0; c < t->channels; c++) {
        power[c] = fmax(power[c], largest * least_share);
        if (reach) reach[c] = power[c];
        squares += power[c] * power[c];
    }
    const double share =
        squares > 0 ? oq_exact_sum_get(&t->sum_squares) / (double)t->channel_count / squares : 0;
    for (size_t c = 0; c < t->channels; c++) {
        const double mean = oq_channel_sum_get(&t->channel_sum[c]) / (double)t->channel_count;
        power[c] = fmax(share * power[c] * power[c], mean * mean);
    }
}
