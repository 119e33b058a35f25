// Second moments of a layer's input.
#include "tune/gram.h"

#include "kernels/gemm.h"
#include "kernels/rows.h"

enum {
    PITCH = OQ_GRAM_ROOM + 16, // from column to column: not the same place of every page
    COLUMNS = 32,              // that a thread fills in at once
    PRODUCT_ROWS = 112,        // of a matrix that a thread adds to at once
    ENDED_ROWS = 64            // and makes means of
};

// With several groups a thread takes one of them from its columns to its products.
static size_t lanes(const oq_gram *g) { return g->groups > 1 ? oq_pool_threads(g->pool) : 1; }

static size_t columns_size(const oq_gram *g) { return 2 * g->depth * PITCH + 16; }

static size_t packed_bytes(const oq_gram *g) {
    const size_t bytes = oq_gemm_f32_packed_bytes(OQ_GRAM_ROOM, g->depth) + OQ_ALIGNMENT;
    return bytes / OQ_ALIGNMENT * OQ_ALIGNMENT;
}

oq_status oq_gram_begin(oq_gram *g, oq_mem *mem, oq_pool *pool, size_t groups, size_t depth, bool centred,
                        oq_error *err) {
    *g = (oq_gram){.mem = mem, .pool = pool, .groups = groups, .depth = depth, .centred = centred};
    const size_t width = groups * depth;
    g->second = oq_mem_calloc(mem, width + 1, (depth + 1) * sizeof(float), err);
    g->drift = oq_mem_calloc(mem, width + 1, (depth + 1) * sizeof(float), err);
    g->origin = oq_mem_calloc(mem, width + 1, 2 * sizeof(float), err);
    g->columns = oq_mem_alloc(mem, lanes(g) * columns_size(g) * sizeof(float), err);
    g->packed = oq_mem_alloc(mem, lanes(g) * packed_bytes(g), err);
    for (int i = 0; i < 2; i++) {
        g->sum[i] = oq_mem_calloc(mem, width + 1, sizeof(double), err);
        if (!g->sum[i]) return ONNXQ_NO_MEMORY;
    }
    return g->second && g->drift && g->origin && g->columns && g->packed ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

static void release_rows(oq_gram *g) {
    oq_mem_free(g->mem, g->origin);
    oq_mem_free(g->mem, g->columns);
    oq_mem_free(g->mem, g->packed);
    for (int i = 0; i < 2; i++) {
        oq_mem_free(g->mem, g->sum[i]);
        g->sum[i] = NULL;
    }
    g->origin = g->columns = NULL;
    g->packed = NULL;
}

void oq_gram_release(oq_gram *g) {
    if (!g->mem) return;
    release_rows(g);
    oq_mem_free(g->mem, g->second);
    oq_mem_free(g->mem, g->drift);
    *g = (oq_gram){0};
}

void oq_gram_drop(oq_gram *g, bool both) {
    oq_mem_free(g->mem, g->drift);
    g->drift = NULL;
    if (!both) return;
    oq_mem_free(g->mem, g->second);
    g->second = NULL;
}

// --- a block of rows ---

typedef struct block {
    oq_gram *g;
    const oq_gram_source *source;
    size_t count; // rows
} block;

// [depth, PITCH] of each stream.
static float *columns_of(const oq_gram *g, int stream, size_t lane) {
    return g->columns + lane * columns_size(g) + (size_t)stream * g->depth * PITCH;
}

static void centre(const block *b, int stream, size_t column, float *x) {
    const oq_gram *g = b->g;
    float *origin = g->origin + (size_t)stream * g->groups * g->depth + column;
    if (g->rows == 0) *origin = oq_rows_sum(x, b->count) / (float)b->count;
    oq_rows_binary_f32(OQ_ROWS_SUB, x, 1, origin, 0, x, b->count);
    g->sum[stream][column] += (double)oq_rows_sum(x, b->count);
}

// Columns [from, to) of a group: x^, and x - x^, both less their origin.
static void fill_columns(const block *b, size_t group, size_t from, size_t to, size_t lane) {
    const oq_gram *g = b->g;
    const size_t first = group * g->depth;
    float *xq = columns_of(g, 0, lane) + from * PITCH, *x = columns_of(g, 1, lane) + from * PITCH;
    b->source->fill(b->source->self, first + from, first + to, x, xq, PITCH);
    for (size_t k = from; k < to; k++, x += PITCH, xq += PITCH) {
        oq_rows_binary_f32(OQ_ROWS_SUB, x, 1, xq, 1, x, b->count);
        if (!g->centred) continue;
        centre(b, 0, first + k, xq);
        centre(b, 1, first + k, x);
    }
}

static void *packed_of(const oq_gram *g, size_t lane) { return (char *)g->packed + lane * packed_bytes(g); }

static void pack(const block *b, size_t lane) {
    const oq_gram *g = b->g;
    oq_gemm_f32_pack(columns_of(g, 0, lane), PITCH, true, b->count, g->depth, packed_of(g, lane));
}

// Rows [from, to) of a group's matrix, to which products of the block's rows with x^ are added. E[x^ x^T] is
// symmetric: nothing left of the diagonal is looked at.
static void multiply(const block *b, int stream, size_t group, size_t from, size_t to, size_t lane) {
    const oq_gram *g = b->g;
    float *matrix = stream == 0 ? g->second : g->drift;
    oq_gemm_f32_run(&(oq_gemm_f32){.m = to - from,
                                   .n = g->depth,
                                   .k = b->count,
                                   .a = columns_of(g, stream, lane) + from * PITCH,
                                   .a_row = PITCH,
                                   .a_column = 1,
                                   .b = packed_of(g, lane),
                                   .c = matrix + (group * g->depth + from) * g->depth,
                                   .ldc = g->depth,
                                   .skip = stream == 0 ? from : 0,
                                   .add = true});
}

static oq_status add_group(void *self, size_t group, size_t worker, oq_error *err) {
    const block *b = self;
    (void)err;
    fill_columns(b, group, 0, b->g->depth, worker);
    pack(b, worker);
    for (int stream = 0; stream < 2; stream++) multiply(b, stream, group, 0, b->g->depth, worker);
    return ONNXQ_OK;
}

// --- the only group ---

static oq_status fill_some(void *self, size_t index, size_t worker, oq_error *err) {
    const block *b = self;
    const size_t from = index * COLUMNS, depth = b->g->depth;
    (void)worker, (void)err;
    fill_columns(b, 0, from, depth - from < COLUMNS ? depth : from + COLUMNS, 0);
    return ONNXQ_OK;
}

static oq_status multiply_some(void *self, size_t index, size_t worker, oq_error *err) {
    const block *b = self;
    const size_t from = index / 2 * PRODUCT_ROWS, depth = b->g->depth;
    (void)worker, (void)err;
    multiply(b, (int)(index % 2), 0, from, depth - from < PRODUCT_ROWS ? depth : from + PRODUCT_ROWS, 0);
    return ONNXQ_OK;
}

static size_t steps(size_t count, size_t step) { return (count + step - 1) / step; }

oq_status oq_gram_add(oq_gram *g, size_t count, const oq_gram_source *source, oq_error *err) {
    block b = {.g = g, .source = source, .count = count};
    if (g->groups > 1) {
        OQ_TRY(oq_pool_run(g->pool, g->groups, add_group, &b, err));
    } else {
        OQ_TRY(oq_pool_run(g->pool, steps(g->depth, COLUMNS), fill_some, &b, err));
        pack(&b, 0);
        OQ_TRY(oq_pool_run(g->pool, 2 * steps(g->depth, PRODUCT_ROWS), multiply_some, &b, err));
    }
    g->rows += (double)count;
    return ONNXQ_OK;
}

// --- the end ---

// Row i of E[a b^T] - E[a] E[b]^T, from column `from` on; a and b: sums.
static void finish(const oq_gram *g, size_t group, size_t i, size_t from, int stream, float *matrix) {
    const double scale = 1 / g->rows, mean = g->sum[stream][group * g->depth + i] * scale * scale,
                 *sum = g->sum[0] + group * g->depth;
    float *row = matrix + (group * g->depth + i) * g->depth;
    for (size_t j = from; j < g->depth; j++) row[j] = (float)((double)row[j] * scale - mean * sum[j]);
}

static size_t rows_end(const oq_gram *g, size_t from) {
    const size_t rows = g->groups * g->depth;
    return rows - from < ENDED_ROWS ? rows : from + ENDED_ROWS;
}

static oq_status finish_some(void *self, size_t index, size_t worker, oq_error *err) {
    const oq_gram *g = self;
    (void)worker, (void)err;
    for (size_t row = index * ENDED_ROWS; row < rows_end(g, index * ENDED_ROWS); row++) {
        finish(g, row / g->depth, row % g->depth, row % g->depth, 0, g->second);
        finish(g, row / g->depth, row % g->depth, 0, 1, g->drift);
    }
    return ONNXQ_OK;
}

static oq_status mirror_some(void *self, size_t index, size_t worker, oq_error *err) {
    const oq_gram *g = self;
    (void)worker, (void)err;
    for (size_t row = index * ENDED_ROWS; row < rows_end(g, index * ENDED_ROWS); row++) {
        const size_t i = row % g->depth;
        float *matrix = g->second + (row - i) * g->depth;
        for (size_t j = 0; j < i; j++) matrix[i * g->depth + j] = matrix[j * g->depth + i];
    }
    return ONNXQ_OK;
}

oq_status oq_gram_end(oq_gram *g, oq_error *err) {
    const size_t count = g->rows > 0 ? steps(g->groups * g->depth, ENDED_ROWS) : 0;
    OQ_TRY(oq_pool_run(g->pool, count, finish_some, g, err));
    OQ_TRY(oq_pool_run(g->pool, count, mirror_some, g, err));
    release_rows(g);
    return ONNXQ_OK;
}
