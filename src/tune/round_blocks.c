// What the methods of rounding work on blocks of rows with.
#include "tune/round_blocks.h"

#include "kernels/gemm.h"
#include "kernels/rows.h"

float oq_round_ridge(const oq_round_problem *p) {
    double sum = 0;
    for (size_t k = 0; k < p->depth; k++) sum += (double)p->second[k * p->depth + k];
    return (float)((double)p->ridge * sum / (double)p->depth);
}

static void *pack(const oq_round_problem *p, const float *matrix, oq_error *err) {
    void *packed = oq_mem_alloc(p->mem, oq_gemm_f32_packed_bytes(p->depth, p->depth), err);
    if (packed) oq_gemm_f32_pack(matrix, p->depth, false, p->depth, p->depth, packed);
    return packed;
}

static size_t buffer_size(const oq_round_problem *p) { return OQ_BENCH_ROWS * (p->depth + 16); }

oq_status oq_bench_begin(oq_bench *b, const oq_round_problem *p, size_t buffers, oq_error *err) {
    const bool drifts = p->drift && p->share != 0;
    *b = (oq_bench){.p = p, .ridge = oq_round_ridge(p), .buffer_count = buffers};
    b->second = pack(p, p->second, err);
    if (drifts) b->drift = pack(p, p->drift, err);
    b->buffers =
        oq_mem_calloc(p->mem, oq_pool_threads(p->pool) * buffers, buffer_size(p) * sizeof(float), err);
    return b->second && (b->drift || !drifts) && b->buffers ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

void oq_bench_end(oq_bench *b) {
    oq_mem_free(b->p->mem, b->second);
    oq_mem_free(b->p->mem, b->drift);
    oq_mem_free(b->p->mem, b->buffers);
}

oq_status oq_bench_run(oq_bench *b, oq_work block, oq_error *err) {
    return oq_pool_run(b->p->pool, (b->p->rows + OQ_BENCH_ROWS - 1) / OQ_BENCH_ROWS, block, b, err);
}

size_t oq_bench_rows(const oq_bench *b, size_t block) {
    const size_t left = b->p->rows - block * OQ_BENCH_ROWS;
    return left < OQ_BENCH_ROWS ? left : OQ_BENCH_ROWS;
}

float *oq_bench_buffer(const oq_bench *b, size_t worker, size_t number) {
    return b->buffers + (worker * b->buffer_count + number) * buffer_size(b->p);
}

void oq_bench_multiply(const oq_bench *b, const float *a, size_t pitch, size_t rows, const void *packed,
                       float *into) {
    const size_t depth = b->p->depth;
    oq_gemm_f32_run(&(oq_gemm_f32){.m = rows,
                                   .n = depth,
                                   .k = depth,
                                   .a = a,
                                   .a_row = pitch,
                                   .a_column = 1,
                                   .b = packed,
                                   .c = into,
                                   .ldc = depth});
}

bool oq_bench_arriving(const oq_bench *b, size_t block, float *into) {
    const oq_round_problem *p = b->p;
    const size_t rows = oq_bench_rows(b, block);
    if (!b->drift) return false;
    oq_bench_multiply(b, p->w + block * OQ_BENCH_ROWS * p->pitch, p->pitch, rows, b->drift, into);
    for (size_t i = 0; i < rows * p->depth; i++) into[i] *= p->share;
    return true;
}
