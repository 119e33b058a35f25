// Rounding that looks at data: coordinate descent, and what a change of integers does.
#include "tune/round_blocks.h"

#include "kernels/rows.h"

#include <math.h>

enum { SWEEPS = 4 };

// --- coordinate descent ---

// Half the gradient of the error: E (second + ridge) - share W drift.
static void find_gradient(const oq_bench *b, size_t block, size_t worker, float *gradient) {
    const oq_round_problem *p = b->p;
    const size_t first = block * OQ_BENCH_ROWS, rows = oq_bench_rows(b, block), count = rows * p->depth;
    float *error = oq_bench_buffer(b, worker, 1), *arriving = oq_bench_buffer(b, worker, 2);
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < p->depth; k++)
            error[i * p->depth + k] =
                oq_round_weight(p, p->q, first + i, k) - p->w[(first + i) * p->pitch + k];
    oq_bench_multiply(b, error, p->depth, rows, b->second, gradient);
    oq_rows_add_multiple(error, b->ridge, gradient, count);
    if (!oq_bench_arriving(b, block, arriving)) return;
    oq_rows_add_multiple(arriving, -1, gradient, count);
}

// Moves integer k of a row to the least error; false when it is there.
static bool move(const oq_bench *b, size_t row, size_t k, float *gradient) {
    const oq_round_problem *p = b->p;
    const float scale = oq_round_param(p, row, k).scale, slope = p->second[k * p->depth + k] + b->ridge;
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
    const oq_bench *b = self;
    const size_t rows = oq_bench_rows(b, block), depth = b->p->depth;
    float *gradient = oq_bench_buffer(b, worker, 0);
    bool moved = true;
    (void)err;
    find_gradient(b, block, worker, gradient);
    for (int sweep = 0; moved && sweep < SWEEPS; sweep++) {
        moved = false;
        for (size_t k = 0; k < depth; k++) // a row of `second` serves all rows of the block
            for (size_t i = 0; i < rows; i++)
                moved |= move(b, block * OQ_BENCH_ROWS + i, k, gradient + i * depth);
    }
    return ONNXQ_OK;
}

oq_status oq_round_descend(const oq_round_problem *problem, oq_error *err) {
    oq_bench b;
    oq_status status = oq_bench_begin(&b, problem, 3, err);
    if (status == ONNXQ_OK) status = oq_bench_run(&b, descend_block, err);
    oq_bench_end(&b);
    return status;
}

// --- judgement ---

// d (second (E + E') - 2 drift^T W) with d = E' - E: exact where both errors are far larger than their
// difference.
static oq_status change_block(void *self, size_t block, size_t worker, oq_error *err) {
    const oq_bench *b = self;
    const oq_round_problem *p = b->p;
    const size_t first = block * OQ_BENCH_ROWS, rows = oq_bench_rows(b, block), depth = p->depth;
    float *sum = oq_bench_buffer(b, worker, 0), *product = oq_bench_buffer(b, worker, 1),
          *target = oq_bench_buffer(b, worker, 2);
    (void)err;
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < depth; k++)
            sum[i * depth + k] = oq_round_weight(p, p->q, first + i, k) +
                                 oq_round_weight(p, b->before, first + i, k) -
                                 2 * p->w[(first + i) * p->pitch + k];
    oq_bench_multiply(b, sum, depth, rows, b->second, product);
    const bool arrives = oq_bench_arriving(b, block, target);
    for (size_t i = 0; i < rows; i++) {
        double change = 0;
        for (size_t k = 0; k < depth; k++) {
            const double d = (double)oq_round_weight(p, p->q, first + i, k) -
                             (double)oq_round_weight(p, b->before, first + i, k);
            const double arriving = arrives ? 2 * (double)target[i * depth + k] : 0;
            change += d * ((double)product[i * depth + k] - arriving);
        }
        b->change[first + i] = change;
    }
    return ONNXQ_OK;
}

oq_status oq_round_change(const oq_round_problem *problem, const int32_t *before, double *change,
                          oq_error *err) {
    oq_bench b;
    oq_status status = oq_bench_begin(&b, problem, 3, err);
    b.before = before;
    b.change = change;
    if (status == ONNXQ_OK) status = oq_bench_run(&b, change_block, err);
    oq_bench_end(&b);
    return status;
}
