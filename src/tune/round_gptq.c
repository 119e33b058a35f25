// GPTQ on second moments: one weight of a row after the other takes up the errors of those before.
//
// With second + ridge = R R^T, R upper triangular, the error of a row is the sum over k of
// ((E R)_k - y_k)^2, y R^T = share w drift: each term has one weight that no earlier term has.
#include "tune/round_blocks.h"

#include <math.h>
#include <stdlib.h>

typedef struct solver {
    oq_bench bench;
    double *root;  // R [depth, depth], rows and columns in `order`
    size_t *order; // [depth]
    double *rows;  // [threads][2, depth]
} solver;

// In eight partial sums, so that it has one order on every machine.
static double dot(const double *a, const double *b, size_t n) {
    double part[8] = {0};
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t l = 0; l < 8; l++) part[l] += a[i + l] * b[i + l];
    for (; i < n; i++) part[0] += a[i] * b[i];
    return ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
}

typedef struct entry {
    float diagonal;
    size_t index;
} entry;

static int by_diagonal(const void *a, const void *b) {
    const entry *x = a, *y = b;
    if (x->diagonal != y->diagonal) return x->diagonal < y->diagonal ? 1 : -1;
    return x->index < y->index ? -1 : 1;
}

static oq_status find_order(solver *s, oq_error *err) {
    const oq_round_problem *p = s->bench.p;
    entry *entries = oq_mem_calloc(p->mem, p->depth + 1, sizeof *entries, err);
    if (!entries) return ONNXQ_NO_MEMORY;
    for (size_t k = 0; k < p->depth; k++) entries[k] = (entry){p->second[k * p->depth + k], k};
    qsort(entries, p->depth, sizeof *entries, by_diagonal);
    for (size_t k = 0; k < p->depth; k++) s->order[k] = entries[k].index;
    oq_mem_free(p->mem, entries);
    return ONNXQ_OK;
}

// From the last row up. A row that nothing comes through gets the unit.
static void factor(solver *s) {
    const oq_round_problem *p = s->bench.p;
    const size_t n = p->depth;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n; j++)
            s->root[i * n + j] =
                (double)p->second[s->order[i] * n + s->order[j]] + (i == j ? (double)s->bench.ridge : 0);
    for (size_t j = n; j-- > 0;) {
        double *own = s->root + j * n;
        const size_t behind = n - j - 1;
        const double pivot = own[j] - dot(own + j + 1, own + j + 1, behind);
        own[j] = pivot > 0 ? sqrt(pivot) : 1;
        for (size_t i = 0; i < j; i++) {
            double *row = s->root + i * n;
            row[j] = (row[j] - dot(row + j + 1, own + j + 1, behind)) / own[j];
        }
    }
}

// y of y R^T = what arrives, both in `order`.
static void solve(const solver *s, const float *arriving, double *y) {
    const size_t n = s->bench.p->depth;
    for (size_t i = n; i-- > 0;) {
        const double *row = s->root + i * n;
        y[i] = ((double)arriving[s->order[i]] - dot(row + i + 1, y + i + 1, n - i - 1)) / row[i];
    }
}

static void round_row(const solver *s, size_t row, double *y, double *sum) {
    const oq_round_problem *p = s->bench.p;
    const size_t n = p->depth;
    for (size_t k = 0; k < n; k++) sum[k] = 0;
    for (size_t k = 0; k < n; k++) {
        const double *root = s->root + k * n;
        const size_t at = s->order[k];
        const double w = (double)p->w[row * p->pitch + at], wanted = w + (y[k] - sum[k]) / root[k];
        const oq_qparam param = oq_round_param(p, row, at);
        const int32_t q = oq_quantize_one(&p->grid, param, (float)wanted);
        const double error = (double)oq_dequantize_one(param, q) - w;
        p->q[row * p->pitch + at] = q;
        for (size_t j = k + 1; j < n; j++) sum[j] += root[j] * error;
    }
}

static oq_status round_block(void *self, size_t block, size_t worker, oq_error *err) {
    const solver *s = self;
    const size_t n = s->bench.p->depth, rows = oq_bench_rows(&s->bench, block);
    float *arriving = oq_bench_buffer(&s->bench, worker, 0);
    double *y = s->rows + worker * 2 * n;
    const bool arrives = oq_bench_arriving(&s->bench, block, arriving);
    (void)err;
    for (size_t i = 0; i < rows; i++) {
        if (arrives) solve(s, arriving + i * n, y);
        for (size_t k = 0; !arrives && k < n; k++) y[k] = 0;
        round_row(s, block * OQ_BENCH_ROWS + i, y, y + n);
    }
    return ONNXQ_OK;
}

oq_status oq_round_gptq(const oq_round_problem *p, oq_error *err) {
    solver s = {0};
    oq_status status = oq_bench_begin(&s.bench, p, 1, err);
    s.root = oq_mem_calloc(p->mem, p->depth + 1, (p->depth + 1) * sizeof *s.root, err);
    s.order = oq_mem_calloc(p->mem, p->depth + 1, sizeof *s.order, err);
    s.rows = oq_mem_calloc(p->mem, oq_pool_threads(p->pool) * 2, (p->depth + 1) * sizeof *s.rows, err);
    if (!s.root || !s.order || !s.rows) status = ONNXQ_NO_MEMORY;
    if (status == ONNXQ_OK) status = find_order(&s, err);
    if (status == ONNXQ_OK) {
        factor(&s);
        status = oq_bench_run(&s.bench, round_block, &s, err);
    }
    oq_bench_end(&s.bench);
    oq_mem_free(p->mem, s.root);
    oq_mem_free(p->mem, s.order);
    oq_mem_free(p->mem, s.rows);
    return status;
}
