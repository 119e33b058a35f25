// Rounding that looks at data: what its methods share, and coordinate descent.
#include "tune/round.h"

#include "kernels/gemm.h"
#include "kernels/rows.h"

#include <math.h>

enum { SWEEPS = 4, BLOCK = 32 }; // rows that are worked on at once

// What blocks of rows are worked on with.
typedef struct bench {
    const oq_round_problem *p;
    void *second, *drift; // packed
    float ridge;
    float *buffers; // [threads][3][BLOCK, depth]
    const int32_t *before;
    double *change;
} bench;

static oq_qparam param_at(const oq_round_problem *p, size_t row, size_t k) {
    return p->params[row * ((p->depth + p->group - 1) / p->group) + k / p->group];
}

static float weight_at(const oq_round_problem *p, const int32_t *q, size_t row, size_t k) {
    return oq_dequantize_one(param_at(p, row, k), q[row * p->pitch + k]);
}

static void *pack(const oq_round_problem *p, const float *matrix, oq_error *err) {
    void *packed = oq_mem_alloc(p->mem, oq_gemm_f32_packed_bytes(p->depth, p->depth), err);
    if (packed) oq_gemm_f32_pack(matrix, p->depth, false, p->depth, p->depth, packed);
    return packed;
}

static float ridge_of(const oq_round_problem *p) {
    double sum = 0;
    for (size_t k = 0; k < p->depth; k++) sum += (double)p->second[k * p->depth + k];
    return (float)((double)p->ridge * sum / (double)p->depth);
}

static size_t buffer_size(const oq_round_problem *p) { return BLOCK * (p->depth + 16); }

static float *buffer_of(const bench *b, size_t worker, size_t number) {
    return b->buffers + (worker * 3 + number) * buffer_size(b->p);
}

static oq_status open_bench(bench *b, const oq_round_problem *p, oq_error *err) {
    *b = (bench){.p = p, .ridge = ridge_of(p)};
    b->second = pack(p, p->second, err);
    if (p->drift) b->drift = pack(p, p->drift, err);
    b->buffers = oq_mem_calloc(p->mem, oq_pool_threads(p->pool) * 3, buffer_size(p) * sizeof(float), err);
    return b->second && (b->drift || !p->drift) && b->buffers ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

static void close_bench(bench *b) {
    oq_mem_free(b->p->mem, b->second);
    oq_mem_free(b->p->mem, b->drift);
    oq_mem_free(b->p->mem, b->buffers);
}

static size_t rows_of(const oq_round_problem *p, size_t block) {
    const size_t left = p->rows - block * BLOCK;
    return left < BLOCK ? left : BLOCK;
}

static oq_status over_blocks(bench *b, oq_work work, oq_error *err) {
    return oq_pool_run(b->p->pool, (b->p->rows + BLOCK - 1) / BLOCK, work, b, err);
}

// into [rows, depth] = a [rows, depth] x a packed matrix.
static void multiply(const bench *b, const float *a, size_t pitch, size_t rows, const void *packed,
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

// --- coordinate descent ---

// Half the gradient of the error: E (second + ridge) - W drift.
static void find_gradient(const bench *b, size_t block, size_t worker, float *gradient) {
    const oq_round_problem *p = b->p;
    const size_t first = block * BLOCK, rows = rows_of(p, block), count = rows * p->depth;
    float *error = buffer_of(b, worker, 1), *target = buffer_of(b, worker, 2);
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < p->depth; k++)
            error[i * p->depth + k] = weight_at(p, p->q, first + i, k) - p->w[(first + i) * p->pitch + k];
    multiply(b, error, p->depth, rows, b->second, gradient);
    oq_rows_add_multiple(error, b->ridge, gradient, count);
    if (!p->drift || p->share == 0) return;
    multiply(b, p->w + first * p->pitch, p->pitch, rows, b->drift, target);
    oq_rows_add_multiple(target, -p->share, gradient, count);
}

// Moves integer k of a row to the least error; false when it is there.
static bool move(const bench *b, size_t row, size_t k, float *gradient) {
    const oq_round_problem *p = b->p;
    const float scale = param_at(p, row, k).scale, slope = p->second[k * p->depth + k] + b->ridge;
    const float step = rintf(gradient[k] / (slope * scale));
    int32_t *q = &p->q[row * p->pitch + k];
    if (!(fabsf(step) >= 1)) return false; // also where nothing ever comes: 0 / 0
    const float to = fminf(fmaxf((float)*q - step, (float)p->grid.qmin), (float)p->grid.qmax);
    const float delta = (to - (float)*q) * scale;
    if (delta == 0) return false;
    *q = (int32_t)to;
    oq_rows_add_multiple(p->second + k * p->depth, delta, gradient, p->depth);
    gradient[k] += b->ridge * delta;
    return true;
}

static oq_status descend_block(void *self, size_t block, size_t worker, oq_error *err) {
    const bench *b = self;
    const size_t rows = rows_of(b->p, block), depth = b->p->depth;
    float *gradient = buffer_of(b, worker, 0);
    bool moved = true;
    (void)err;
    find_gradient(b, block, worker, gradient);
    for (int sweep = 0; moved && sweep < SWEEPS; sweep++) {
        moved = false;
        for (size_t k = 0; k < depth; k++) // a row of `second` serves all rows of the block
            for (size_t i = 0; i < rows; i++) moved |= move(b, block * BLOCK + i, k, gradient + i * depth);
    }
    return ONNXQ_OK;
}

oq_status oq_round_descend(const oq_round_problem *problem, oq_error *err) {
    bench b;
    oq_status status = open_bench(&b, problem, err);
    if (status == ONNXQ_OK) status = over_blocks(&b, descend_block, err);
    close_bench(&b);
    return status;
}

// --- judgement ---

// d (second (E + E') - 2 drift^T W) with d = E' - E: exact where both errors are far larger than their
// difference.
static oq_status change_block(void *self, size_t block, size_t worker, oq_error *err) {
    const bench *b = self;
    const oq_round_problem *p = b->p;
    const size_t first = block * BLOCK, rows = rows_of(p, block), depth = p->depth;
    float *sum = buffer_of(b, worker, 0), *product = buffer_of(b, worker, 1),
          *target = buffer_of(b, worker, 2);
    (void)err;
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < depth; k++)
            sum[i * depth + k] = weight_at(p, p->q, first + i, k) + weight_at(p, b->before, first + i, k) -
                                 2 * p->w[(first + i) * p->pitch + k];
    multiply(b, sum, depth, rows, b->second, product);
    if (p->drift) multiply(b, p->w + first * p->pitch, p->pitch, rows, b->drift, target);
    for (size_t i = 0; i < rows; i++) {
        double change = 0;
        for (size_t k = 0; k < depth; k++) {
            const double d =
                (double)weight_at(p, p->q, first + i, k) - (double)weight_at(p, b->before, first + i, k);
            const double arriving = p->drift ? 2 * (double)target[i * depth + k] : 0;
            change += d * ((double)product[i * depth + k] - arriving);
        }
        b->change[first + i] = change;
    }
    return ONNXQ_OK;
}

oq_status oq_round_change(const oq_round_problem *problem, const int32_t *before, double *change,
                          oq_error *err) {
    bench b;
    oq_status status = open_bench(&b, problem, err);
    b.before = before;
    b.change = change;
    if (status == ONNXQ_OK) status = over_blocks(&b, change_block, err);
    close_bench(&b);
    return status;
}
