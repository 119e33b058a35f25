// What the methods of rounding work on blocks of rows with.
#include "tune/round_blocks.h"

#include "kernels/gemm.h"
#include "kernels/rows.h"

float oq_round_ridge(const oq_round_problem *p) {
    double sum = 0;
    if (p->ridge == 0) return 0;
    for (size_t k = 0; k < p->depth; k++) sum += (double)p->second[k * p->depth + k];
    return (float)((double)p->ridge * sum / (double)p->depth);
}

static void *pack(const oq_round_problem *p, const float *matrix, oq_error *err) {
    void *packed = oq_mem_alloc(p->mem, oq_gemm_f32_packed_bytes(p->depth, p->depth), err);
    if (packed) oq_gemm_f32_pack(matrix, p->depth, false, p->depth, p->depth, packed);
    return packed;
}

static size_t buffer_size(const oq_round_problem *p) { return OQ_BENCH_ROWS * (p->depth + 16); }

void oq_round_weights(const oq_round_problem *p, const int32_t *q, size_t row, float *into) {
    for (size_t k = 0; k < p->depth; k += p->group) {
        const size_t left = p->depth - k;
        oq_dequantize(oq_round_param(p, row, k), q + row * p->pitch + k, into + k,
                      left < p->group ? left : p->group);
    }
}

void oq_round_errors(const oq_round_problem *p, size_t row, float *into) {
    oq_round_weights(p, p->q, row, into);
    oq_rows_binary_f32(OQ_ROWS_SUB, into, 1, p->w + row * p->pitch, 1, into, p->depth);
}

oq_status oq_bench_begin(oq_bench *b, const oq_round_problem *p, size_t buffers, oq_error *err) {
    const bool drifts = !p->basis && p->drift && p->share != 0;
    *b = (oq_bench){.p = p, .ridge = oq_round_ridge(p), .buffer_count = buffers};
    if (p->basis && p->share != 0) b->arriving = p->basis->arriving;
    if (!p->basis) b->own_second = pack(p, p->second, err);
    b->second = p->basis ? p->basis->second : b->own_second;
    if (drifts) b->drift = pack(p, p->drift, err);
    b->buffers =
        oq_mem_alloc(p->mem, oq_pool_threads(p->pool) * buffers * buffer_size(p) * sizeof(float), err);
    return (b->second || p->basis) && (b->drift || !drifts) && b->buffers ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

void oq_bench_end(oq_bench *b) {
    oq_mem_free(b->p->mem, b->own_second);
    oq_mem_free(b->p->mem, b->drift);
    oq_mem_free(b->p->mem, b->buffers);
}

oq_status oq_bench_run(const oq_bench *b, oq_work block, void *self, oq_error *err) {
    return oq_pool_run(b->p->pool, (b->p->rows + OQ_BENCH_ROWS - 1) / OQ_BENCH_ROWS, block, self, err);
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
    const size_t rows = oq_bench_rows(b, block), first = block * OQ_BENCH_ROWS, count = rows * p->depth;
    for (size_t i = 0; b->arriving && i < rows; i++)
        oq_rows_binary_f32(OQ_ROWS_MUL, oq_bench_basis_row(b, b->arriving, first + i), 1, &p->share, 0,
                           into + i * p->depth, p->depth);
    if (b->arriving || !b->drift) return b->arriving != NULL;
    oq_bench_multiply(b, p->w + first * p->pitch, p->pitch, rows, b->drift, into);
    oq_rows_binary_f32(OQ_ROWS_MUL, into, 1, &p->share, 0, into, count);
    return true;
}

// --- basis ---

// Rows times one packed matrix.
typedef struct making {
    const oq_bench *bench;
    const void *packed;
    bool errors; // of W^ - W; else of W
    float *into; // [rows, depth]
} making;

static oq_status make_block(void *self, size_t block, size_t worker, oq_error *err) {
    const making *m = self;
    const oq_bench *b = m->bench;
    const oq_round_problem *p = b->p;
    const size_t first = block * OQ_BENCH_ROWS, rows = oq_bench_rows(b, block);
    float *error = oq_bench_buffer(b, worker, 0);
    (void)err;
    for (size_t i = 0; m->errors && i < rows; i++) oq_round_errors(p, first + i, error + i * p->depth);
    oq_bench_multiply(b, m->errors ? error : p->w + first * p->pitch, m->errors ? p->depth : p->pitch, rows,
                      m->packed, m->into + first * p->depth);
    return ONNXQ_OK;
}

// *into [rows, depth] = W^ - W, or W, times a matrix; what was packed for it, too, if asked for.
static oq_status make(const oq_bench *b, const float *matrix, bool errors, float **into, void **keep,
                      oq_error *err) {
    const oq_round_problem *p = b->p;
    making m = {.bench = b, .errors = errors};
    void *packed = pack(p, matrix, err);
    oq_status status = packed ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    if (status == ONNXQ_OK && into) {
        m.packed = packed;
        m.into = *into = oq_mem_alloc(p->mem, (p->rows * p->depth + 16) * sizeof(float), err);
        status = m.into ? oq_bench_run(b, make_block, &m, err) : ONNXQ_NO_MEMORY;
    }
    if (keep)
        *keep = packed;
    else
        oq_mem_free(p->mem, packed);
    return status;
}

oq_status oq_round_basis_make(const oq_round_problem *problem, bool product, bool second, oq_round_basis *out,
                              oq_error *err) {
    oq_bench bench = {.p = problem, .buffer_count = 1};
    *out = (oq_round_basis){0};
    bench.buffers = oq_mem_alloc(problem->mem,
                                 oq_pool_threads(problem->pool) * buffer_size(problem) * sizeof(float), err);
    oq_status status = bench.buffers ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    // One after the other: two packed matrices at once would be the most that a conversion holds.
    if (status == ONNXQ_OK && problem->drift)
        status = make(&bench, problem->drift, false, &out->arriving, NULL, err);
    if (status == ONNXQ_OK)
        status = make(&bench, problem->second, true, product ? &out->product : NULL,
                      second ? &out->second : NULL, err);
    oq_mem_free(problem->mem, bench.buffers);
    return status;
}

void oq_round_basis_release(oq_mem *mem, oq_round_basis *basis) {
    oq_mem_free(mem, basis->second);
    oq_mem_free(mem, basis->product);
    oq_mem_free(mem, basis->arriving);
    *basis = (oq_round_basis){0};
}
