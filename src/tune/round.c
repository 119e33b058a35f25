// Rounding that looks at data: coordinate descent, and what a change of integers does.
#include "tune/round_blocks.h"

#include "kernels/rows.h"

#include <math.h>
#include <string.h>

enum { SWEEPS = 4, LANES = 16, TILE = 64 };

// --- coordinate descent ---

// Half the gradient of the error: E (second + ridge) - share W drift.
static void find_gradient(const oq_bench *b, size_t block, size_t worker, float *gradient) {
    const oq_round_problem *p = b->p;
    const size_t first = block * OQ_BENCH_ROWS, rows = oq_bench_rows(b, block), count = rows * p->depth;
    float *error = oq_bench_buffer(b, worker, 1), *arriving = oq_bench_buffer(b, worker, 2);
    for (size_t i = 0; i < rows; i++) oq_round_errors(p, first + i, error + i * p->depth);
    for (size_t i = 0; p->product && i < rows; i++)
        memcpy(gradient + i * p->depth, oq_bench_basis_row(b, p->product, first + i),
               p->depth * sizeof *gradient);
    if (!p->product) oq_bench_multiply(b, error, p->depth, rows, b->second, gradient);
    oq_rows_add_multiple(error, b->ridge, gradient, count);
    if (!oq_bench_arriving(b, block, arriving)) return;
    oq_rows_add_multiple(arriving, -1, gradient, count);
}

// Where integer k of a row may go. One with a partner that is moved along with other elements stays.
static void find_limits(const oq_round_problem *p, size_t row, size_t k, float *low, float *high) {
    const int32_t *q = p->q + row * p->pitch;
    *low = (float)p->grid.qmin, *high = (float)p->grid.qmax;
    for (int i = 0; p->partner && i < 2; i++) {
        const size_t at = p->first + k, partner = p->partner[at][i];
        if (partner == at) continue;
        if (partner < p->first || partner - p->first >= p->depth) {
            *low = *high = (float)q[k];
            return;
        }
        const int32_t other = q[partner - p->first];
        *low = fmaxf(*low, (float)(-p->pair_limit - (other < 0 ? other : 0)));
        *high = fminf(*high, (float)(p->pair_limit - (other > 0 ? other : 0)));
    }
}

// Moves integer k of a row to the least error; false when it is there.
static bool move(const oq_bench *b, size_t row, size_t k, float *gradient) {
    const oq_round_problem *p = b->p;
    const float scale = oq_round_param(p, row, k).scale, slope = p->second[k * p->depth + k] + b->ridge;
    const float step = rintf(gradient[k] / (slope * scale));
    int32_t *q = &p->q[row * p->pitch + k];
    if (!(fabsf(step) >= 1)) return false; // also where nothing ever comes: 0 / 0
    float low, high;
    find_limits(p, row, k, &low, &high);
    const float to = fminf(fmaxf((float)*q - step, low), high);
    const float delta = (to - (float)*q) * scale;
    if (delta == 0) return false;
    *q = (int32_t)to;
    oq_rows_add_multiple(p->second + k * p->depth, delta, gradient, p->depth);
    gradient[k] += b->ridge * delta;
    return true;
}

// Whether one of LANES gradients may be worth a step: nearly half of one (in units of the row's scale).
static bool any_moves(const float *gradient, const float *half, float scale) {
    int any = 0;
    for (int j = 0; j < LANES; j++) any |= fabsf(gradient[j]) > half[j] * scale;
    return any;
}

// Integers [from, to) of a row.
static bool descend_row(const oq_bench *b, size_t row, size_t from, size_t to, float *gradient,
                        const float *half) {
    const oq_round_problem *p = b->p;
    bool moved = false;
    for (size_t k = from; k < to;) {
        const size_t end = to - k < LANES ? to : k + LANES;
        const bool same = p->group >= p->depth; // one scale a row
        if (!same || end - k < LANES || any_moves(gradient + k, half + k, oq_round_param(p, row, k).scale))
            for (size_t j = k; j < end; j++) moved |= move(b, row, j, gradient);
        k = end;
    }
    return moved;
}

static oq_status descend_block(void *self, size_t block, size_t worker, oq_error *err) {
    const oq_bench *b = self;
    const size_t rows = oq_bench_rows(b, block), depth = b->p->depth;
    float *gradient = oq_bench_buffer(b, worker, 0), *half = oq_bench_buffer(b, worker, 1);
    bool moved = true;
    (void)err;
    find_gradient(b, block, worker, gradient);
    // A little less than half a step, so that what rounding would move is looked at.
    for (size_t k = 0; k < depth; k++) half[k] = 0.49F * (b->p->second[k * depth + k] + b->ridge);
    for (int sweep = 0; moved && sweep < SWEEPS; sweep++) {
        moved = false;
        for (size_t from = 0; from < depth; from += TILE) // some rows of `second` serve all rows of the block
            for (size_t i = 0; i < rows; i++)
                moved |= descend_row(b, block * OQ_BENCH_ROWS + i, from,
                                     depth - from < TILE ? depth : from + TILE, gradient + i * depth, half);
    }
    return ONNXQ_OK;
}

oq_status oq_round_descend(const oq_round_problem *problem, oq_error *err) {
    oq_bench b;
    oq_status status = oq_bench_begin(&b, problem, 3, err);
    if (status == ONNXQ_OK) status = oq_bench_run(&b, descend_block, &b, err);
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
          *step = oq_bench_buffer(b, worker, 2), *before = oq_bench_buffer(b, worker, 3);
    (void)err;
    oq_round_problem was = *p;
    was.params = b->was;
    for (size_t i = 0; i < rows; i++) {
        float *is = step + i * depth, *total = sum + i * depth;
        const float *w = p->w + (first + i) * p->pitch;
        oq_round_weights(p, p->q, first + i, is);
        oq_round_weights(&was, b->before, first + i, before);
        for (size_t k = 0; k < depth; k++) {
            total[k] = is[k] + before[k] - 2 * w[k];
            is[k] -= before[k];
        }
    }
    oq_bench_multiply(b, sum, depth, rows, b->second, product);
    const bool arrives = oq_bench_arriving(b, block, sum);
    for (size_t i = 0; i < rows; i++) {
        double change = 0;
        for (size_t k = i * depth; k < (i + 1) * depth; k++) {
            const double arriving = arrives ? 2 * (double)sum[k] : 0;
            change += (double)step[k] * ((double)product[k] - arriving);
        }
        b->change[first + i] = change;
    }
    return ONNXQ_OK;
}

oq_status oq_round_change(const oq_round_problem *problem, const int32_t *before, const oq_qparam *was,
                          double *change, oq_error *err) {
    oq_bench b;
    oq_status status = oq_bench_begin(&b, problem, 4, err);
    b.before = before;
    b.was = was ? was : problem->params;
    b.change = change;
    if (status == ONNXQ_OK) status = oq_bench_run(&b, change_block, &b, err);
    oq_bench_end(&b);
    return status;
}
