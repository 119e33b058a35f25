// Data sets by content: samples in the order of their hashes.
#include "data/dataset.h"

#include <stdlib.h>
#include <string.h>

// A sample or a run, and where it stands.
typedef struct place {
    oq_hash hash;
    size_t index;
} place;

static int compare_places(const void *left, const void *right) {
    const place *a = left, *b = right;
    if (a->hash.high != b->hash.high) return a->hash.high < b->hash.high ? -1 : 1;
    if (a->hash.low != b->hash.low) return a->hash.low < b->hash.low ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

// --- samples ---

typedef struct hashing {
    const oq_dataset *of;
    place *samples; // of all parts, one after the other
    size_t *begins; // [part_count] the first of each
    size_t count;
} hashing;

static oq_status hash_sample(void *self, size_t index, size_t worker, oq_error *err) {
    const hashing *h = self;
    size_t p = 0;
    (void)worker;
    while (p + 1 < h->of->part_count && index >= h->begins[p + 1]) p++;
    place *sample = &h->samples[index];
    sample->index = index - h->begins[p];
    return oq_part_hash(h->of, &h->of->parts[p], sample->index, &sample->hash, err);
}

static oq_status hash_samples(hashing *h, oq_pool *pool, oq_error *err) {
    oq_mem *mem = h->of->mem;
    h->begins = oq_mem_calloc(mem, h->of->part_count + 1, sizeof *h->begins, err);
    if (!h->begins) return ONNXQ_NO_MEMORY;
    for (size_t p = 0; p < h->of->part_count; p++) {
        h->begins[p] = h->count;
        h->count += oq_part_samples(h->of, &h->of->parts[p]);
    }
    h->samples = oq_mem_calloc(mem, h->count + 1, sizeof *h->samples, err);
    return h->samples ? oq_pool_run(pool, h->count, hash_sample, h, err) : ONNXQ_NO_MEMORY;
}

// --- order ---

// Whether each run takes as many rows of every input, so that rows are samples.
static bool takes_rows_alike(const oq_dataset *data, const data_part *part) {
    for (size_t i = 0; part->kind == PART_ROWS && i < data->input_count; i++)
        if (part->steps[i] != part->batch) return false;
    return part->kind == PART_ROWS && part->batch > 1;
}

static oq_status order_rows(oq_dataset *data, data_part *part, place *samples, oq_error *err) {
    const size_t count = oq_part_samples(data, part);
    if (!takes_rows_alike(data, part)) return ONNXQ_OK;
    part->row_order = oq_mem_calloc(data->mem, count + 1, sizeof *part->row_order, err);
    if (!part->row_order) return ONNXQ_NO_MEMORY;
    qsort(samples, count, sizeof *samples, compare_places);
    for (size_t i = 0; i < count; i++) part->row_order[i] = (int64_t)samples[i].index;
    return ONNXQ_OK;
}

// The hash of a run is the sum of its samples'.
static void place_runs(const oq_dataset *data, const data_part *part, const place *samples, place *runs) {
    const size_t count = oq_part_samples(data, part), batch = (size_t)part->batch;
    for (size_t i = 0; i < count; i++) {
        place *run = &runs[part->begin + i / batch];
        run->index = part->begin + i / batch;
        run->hash.high += samples[i].hash.high;
        run->hash.low += samples[i].hash.low;
    }
}

static oq_status order_runs(oq_dataset *data, const hashing *h, oq_error *err) {
    place *runs = oq_mem_calloc(data->mem, data->count + 1, sizeof *runs, err);
    oq_status status = runs ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    for (size_t p = 0; status == ONNXQ_OK && p < data->part_count; p++) {
        place *samples = h->samples + h->begins[p];
        status = order_rows(data, &data->parts[p], samples, err);
        if (status == ONNXQ_OK) place_runs(data, &data->parts[p], samples, runs);
    }
    if (status == ONNXQ_OK) qsort(runs, data->count, sizeof *runs, compare_places);
    for (size_t i = 0; status == ONNXQ_OK && i < data->count; i++) {
        data->order[i] = runs[i].index;
        data->hash.high += runs[i].hash.high;
        data->hash.low += runs[i].hash.low;
    }
    oq_mem_free(data->mem, runs);
    return status;
}

// Where each sample stood, in the order in which the runs take them now.
static oq_status number_samples(oq_dataset *data, const hashing *h, oq_error *err) {
    data->numbers = oq_mem_calloc(data->mem, h->count + 1, sizeof *data->numbers, err);
    if (!data->numbers) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < data->count; i++) {
        size_t p = 0, real, rows;
        while (p + 1 < data->part_count && data->order[i] >= data->parts[p + 1].begin) p++;
        const data_part *part = &data->parts[p];
        oq_dataset_rows(data, i, &real, &rows);
        for (size_t r = 0; r < real; r++) {
            const size_t row = (data->order[i] - part->begin) * rows + r;
            data->numbers[data->sample_count++] =
                h->begins[p] + (part->row_order ? (size_t)part->row_order[row] : row);
        }
    }
    return ONNXQ_OK;
}

// --- the data set ---

static oq_status share(const oq_dataset *of, oq_dataset **out, oq_error *err) {
    oq_dataset *data = *out = oq_mem_calloc(of->mem, 1, sizeof *data, err);
    if (!data) return ONNXQ_NO_MEMORY;
    *data = *of;
    data->of = of;
    data->order = oq_mem_calloc(of->mem, of->count + 1, sizeof *data->order, err);
    data->parts = oq_mem_calloc(of->mem, of->part_count + 1, sizeof *data->parts, err);
    if (!data->order || !data->parts) return ONNXQ_NO_MEMORY;
    for (size_t p = 0; p < of->part_count; p++) data->parts[p] = of->parts[p];
    return ONNXQ_OK;
}

oq_status oq_dataset_by_content(const oq_dataset *of, oq_pool *pool, oq_dataset **out, oq_error *err) {
    hashing h = {.of = of};
    *out = NULL;
    oq_status status = hash_samples(&h, pool, err);
    if (status == ONNXQ_OK) status = share(of, out, err);
    if (status == ONNXQ_OK) status = order_runs(*out, &h, err);
    if (status == ONNXQ_OK) status = number_samples(*out, &h, err);
    oq_mem_free(of->mem, h.begins);
    oq_mem_free(of->mem, h.samples);
    if (status == ONNXQ_OK) return ONNXQ_OK;
    oq_dataset_free(*out);
    *out = NULL;
    return status;
}

void oq_dataset_release_order(oq_dataset *data) {
    oq_mem *mem = data->mem;
    for (size_t p = 0; data->parts && p < data->part_count; p++) oq_mem_free(mem, data->parts[p].row_order);
    oq_mem_free(mem, data->parts);
    oq_mem_free(mem, data->order);
    oq_mem_free(mem, data->numbers);
    oq_mem_free(mem, data);
}

const oq_dataset *oq_dataset_as_given(const oq_dataset *data) { return data->of ? data->of : data; }

oq_status oq_dataset_arrange(const oq_dataset *data, int64_t *labels, size_t count, oq_error *err) {
    if (!data->of || count != data->sample_count) return ONNXQ_OK;
    int64_t *given = oq_mem_alloc(data->mem, (count + 1) * sizeof *given, err);
    if (!given) return ONNXQ_NO_MEMORY;
    memcpy(given, labels, count * sizeof *given);
    for (size_t i = 0; i < count; i++) labels[i] = given[data->numbers[i]];
    oq_mem_free(data->mem, given);
    return ONNXQ_OK;
}
