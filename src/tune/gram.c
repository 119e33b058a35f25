// Second moments of a layer's input.
#include "tune/gram.h"

#include "kernels/gemm.h"
#include "kernels/rows.h"

#include <string.h>

enum { MOST_ROOM = 256, PRODUCT_ROWS = 256, COLUMNS = 512 };
#define WAIT_BYTES ((size_t)4 << 20) // of the rows of one stream that wait

static size_t threads_of(const oq_gram *g) { return g->groups > 1 ? oq_pool_threads(g->pool) : 1; }

static size_t product_rows(const oq_gram *g) { return g->depth < PRODUCT_ROWS ? g->depth : PRODUCT_ROWS; }

oq_status oq_gram_begin(oq_gram *g, oq_mem *mem, oq_pool *pool, size_t groups, size_t depth, bool centred,
                        oq_error *err) {
    *g = (oq_gram){.mem = mem, .pool = pool, .groups = groups, .depth = depth, .centred = centred};
    const size_t width = groups * depth, fit = WAIT_BYTES / sizeof(float) / (width + 1);
    g->room = fit < 1 ? 1 : fit > MOST_ROOM ? MOST_ROOM : fit;
    g->second = oq_mem_calloc(mem, width + 1, (depth + 1) * sizeof(float), err);
    g->drift = oq_mem_calloc(mem, width + 1, (depth + 1) * sizeof(float), err);
    g->origin = oq_mem_calloc(mem, width + 1, 2 * sizeof(float), err);
    g->scratch[0] = oq_mem_calloc(mem, threads_of(g), (product_rows(g) * depth + 16) * sizeof(float), err);
    // One block of a multiple of a cache line for each thread.
    g->scratch[1] =
        oq_mem_alloc(mem, threads_of(g) * (oq_gemm_f32_packed_bytes(g->room, depth) + OQ_ALIGNMENT), err);
    for (int i = 0; i < 2; i++) {
        g->wait[i] = oq_mem_calloc(mem, g->room, (width + 1) * sizeof(float), err);
        g->sum[i] = oq_mem_calloc(mem, width + 1, sizeof(double), err);
        if (!g->wait[i] || !g->sum[i] || !g->scratch[i]) return ONNXQ_NO_MEMORY;
    }
    return g->second && g->drift && g->origin ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

static void release_rows(oq_gram *g) {
    oq_mem_free(g->mem, g->origin);
    g->origin = NULL;
    for (int i = 0; i < 2; i++) {
        oq_mem_free(g->mem, g->wait[i]);
        oq_mem_free(g->mem, g->sum[i]);
        oq_mem_free(g->mem, g->scratch[i]);
        g->wait[i] = g->scratch[i] = NULL;
        g->sum[i] = NULL;
    }
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

size_t oq_gram_room(const oq_gram *g) { return g->room - g->waiting; }

void oq_gram_row(const oq_gram *g, size_t i, float **x, float **x_quantized) {
    const size_t at = (g->waiting + i) * g->groups * g->depth;
    *x_quantized = g->wait[0] + at;
    *x = g->wait[1] + at;
}

// --- a block of rows ---

// Columns [from, to) of one stream: the mean of the waiting rows.
static void set_origin(const oq_gram *g, int stream, size_t from, size_t to) {
    const size_t width = g->groups * g->depth;
    double sum[COLUMNS] = {0};
    for (size_t r = 0; r < g->waiting; r++)
        for (size_t k = from; k < to; k++) sum[k - from] += (double)g->wait[stream][r * width + k];
    for (size_t k = from; k < to; k++)
        g->origin[(size_t)stream * width + k] = (float)(sum[k - from] / (double)g->waiting);
}

static void centre(const oq_gram *g, int stream, size_t from, size_t to) {
    const size_t width = g->groups * g->depth, count = to - from;
    const float *restrict origin = g->origin + (size_t)stream * width + from;
    double *restrict sum = g->sum[stream] + from;
    for (size_t r = 0; r < g->waiting; r++) {
        float *restrict x = g->wait[stream] + r * width + from;
        for (size_t k = 0; k < count; k++) {
            x[k] -= origin[k];
            sum[k] += (double)x[k];
        }
    }
}

// x - x^ in place of x, both less their origin; sums of what remains. A few columns at a time.
static oq_status prepare_columns(void *self, size_t index, size_t worker, oq_error *err) {
    const oq_gram *g = self;
    const size_t width = g->groups * g->depth, from = index * COLUMNS,
                 to = width - from < COLUMNS ? width : from + COLUMNS;
    (void)worker, (void)err;
    for (size_t r = 0; r < g->waiting; r++) {
        const float *restrict xq = g->wait[0] + r * width;
        float *restrict x = g->wait[1] + r * width;
        for (size_t k = from; k < to; k++) x[k] -= xq[k];
    }
    for (int stream = 0; g->centred && stream < 2; stream++) {
        if (g->rows == 0) set_origin(g, stream, from, to);
        centre(g, stream, from, to);
    }
    return ONNXQ_OK;
}

// into [depth, depth] += a^T b over the waiting rows of a group; b is packed.
static void add_product(const oq_gram *g, size_t group, const float *a, const void *packed, float *product,
                        float *into, oq_pool *pool) {
    const size_t width = g->groups * g->depth, step = product_rows(g);
    for (size_t from = 0; from < g->depth; from += step) {
        const size_t m = g->depth - from < step ? g->depth - from : step;
        oq_gemm_f32_run(&(oq_gemm_f32){.m = m,
                                       .n = g->depth,
                                       .k = g->waiting,
                                       .a = a + group * g->depth + from,
                                       .a_row = 1,
                                       .a_column = width,
                                       .b = packed,
                                       .c = product,
                                       .ldc = g->depth,
                                       .pool = pool});
        float *to = into + (group * g->depth + from) * g->depth;
        oq_rows_binary_f32(OQ_ROWS_ADD, to, 1, product, 1, to, m * g->depth);
    }
}

static oq_status add_group(void *self, size_t group, size_t worker, oq_error *err) {
    const oq_gram *g = self;
    (void)err;
    const size_t bytes = oq_gemm_f32_packed_bytes(g->room, g->depth) + OQ_ALIGNMENT;
    const size_t step = bytes / OQ_ALIGNMENT * OQ_ALIGNMENT;
    void *packed = (char *)g->scratch[1] + worker * step;
    float *product = g->scratch[0] + worker * (product_rows(g) * g->depth + 16);
    oq_pool *pool = g->groups > 1 ? NULL : g->pool;
    oq_gemm_f32_pack(g->wait[0] + group * g->depth, g->groups * g->depth, false, g->waiting, g->depth,
                     packed);
    add_product(g, group, g->wait[0], packed, product, g->second, pool);
    add_product(g, group, g->wait[1], packed, product, g->drift, pool);
    return ONNXQ_OK;
}

static oq_status flush(oq_gram *g, oq_error *err) {
    if (!g->waiting) return ONNXQ_OK;
    OQ_TRY(oq_pool_run(g->pool, (g->groups * g->depth + COLUMNS - 1) / COLUMNS, prepare_columns, g, err));
    const oq_status status =
        g->groups > 1 ? oq_pool_run(g->pool, g->groups, add_group, g, err) : add_group(g, 0, 0, err);
    g->rows += (double)g->waiting;
    g->waiting = 0;
    return status;
}

oq_status oq_gram_take(oq_gram *g, size_t count, oq_error *err) {
    g->waiting += count;
    return g->waiting == g->room ? flush(g, err) : ONNXQ_OK;
}

// E[a b^T] - E[a] E[b]^T.
static void finish(const oq_gram *g, size_t group, const double *a, const double *b, float *matrix) {
    const double scale = 1 / g->rows;
    for (size_t i = 0; i < g->depth; i++)
        for (size_t j = 0; j < g->depth; j++) {
            float *at = &matrix[(group * g->depth + i) * g->depth + j];
            const size_t ai = group * g->depth + i, bj = group * g->depth + j;
            *at = (float)((double)*at * scale - a[ai] * scale * (b[bj] * scale));
        }
}

oq_status oq_gram_end(oq_gram *g, oq_error *err) {
    OQ_TRY(flush(g, err));
    for (size_t group = 0; g->rows > 0 && group < g->groups; group++) {
        finish(g, group, g->sum[0], g->sum[0], g->second);
        finish(g, group, g->sum[1], g->sum[0], g->drift);
    }
    release_rows(g);
    return ONNXQ_OK;
}
