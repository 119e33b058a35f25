// Second moments of a layer's input.
#include "tune/gram.h"

#include "kernels/gemm.h"
#include "kernels/rows.h"

#include <string.h>

enum { MOST_ROOM = 256, PRODUCT_ROWS = 256 };
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

void oq_gram_row(oq_gram *g, float **x, float **x_quantized) {
    const size_t at = g->waiting * g->groups * g->depth;
    *x_quantized = g->wait[0] + at;
    *x = g->wait[1] + at;
}

// --- a block of rows ---

static void set_origin(oq_gram *g) {
    const size_t width = g->groups * g->depth;
    for (int i = 0; i < 2; i++)
        for (size_t k = 0; k < width; k++) {
            double sum = 0;
            for (size_t r = 0; r < g->waiting; r++) sum += (double)g->wait[i][r * width + k];
            g->origin[(size_t)i * width + k] = (float)(sum / (double)g->waiting);
        }
}

// x - x^ in place of x, both less their origin; sums of what remains.
static void prepare_rows(oq_gram *g) {
    const size_t width = g->groups * g->depth;
    for (size_t r = 0; r < g->waiting; r++) {
        float *xq = g->wait[0] + r * width, *x = g->wait[1] + r * width;
        for (size_t k = 0; k < width; k++) x[k] -= xq[k];
    }
    if (!g->centred) return;
    if (g->rows == 0) set_origin(g);
    for (int i = 0; i < 2; i++)
        for (size_t r = 0; r < g->waiting; r++)
            for (size_t k = 0; k < width; k++) {
                float *x = &g->wait[i][r * width + k];
                *x -= g->origin[(size_t)i * width + k];
                g->sum[i][k] += (double)*x;
            }
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
    prepare_rows(g);
    const oq_status status =
        g->groups > 1 ? oq_pool_run(g->pool, g->groups, add_group, g, err) : add_group(g, 0, 0, err);
    g->rows += (double)g->waiting;
    g->waiting = 0;
    return status;
}

oq_status oq_gram_add(oq_gram *g, oq_error *err) {
    return ++g->waiting == g->room ? flush(g, err) : ONNXQ_OK;
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
