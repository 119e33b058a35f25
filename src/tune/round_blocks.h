// What the methods of rounding work on blocks of rows with.
#ifndef OQ_TUNE_ROUND_BLOCKS_H
#define OQ_TUNE_ROUND_BLOCKS_H

#include "tune/round.h"

enum { OQ_BENCH_ROWS = 32 };

typedef struct oq_bench {
    const oq_round_problem *p;
    const void *second;       // packed; NULL: the basis has none
    void *own_second, *drift; // packed; NULL: it has no share, or there is a basis
    const float *arriving;    // of the basis, or NULL
    float ridge;              // as it is added to the diagonal
    float *buffers;           // [threads][buffer_count][OQ_BENCH_ROWS, depth]
    size_t buffer_count;      // of a thread
    const int32_t *before;    // oq_round_change
    const oq_qparam *was;     // the same
    double *change;
} oq_bench;

// `buffers`: how many of them each thread needs.
oq_status oq_bench_begin(oq_bench *b, const oq_round_problem *problem, size_t buffers, oq_error *err);
void oq_bench_end(oq_bench *b);
oq_status oq_bench_run(const oq_bench *b, oq_work block, void *self, oq_error *err); // every block
size_t oq_bench_rows(const oq_bench *b, size_t block);
float *oq_bench_buffer(const oq_bench *b, size_t worker, size_t number);
// into [rows, depth] = a [rows, depth] x a packed matrix.
void oq_bench_multiply(const oq_bench *b, const float *a, size_t pitch, size_t rows, const void *packed,
                       float *into);
// Row number `row` of what a basis holds for the problem's rows.
static inline const float *oq_bench_basis_row(const oq_bench *b, const float *rows, size_t row) {
    return rows + row * (1 + b->p->between) * b->p->depth;
}
// into = share W drift for the rows of a block; false when that is 0 and `into` was left alone.
bool oq_bench_arriving(const oq_bench *b, size_t block, float *into);

static inline oq_qparam oq_round_param(const oq_round_problem *p, size_t row, size_t k) {
    return p->params[row * p->param_pitch + k / p->group];
}
// W^ of a row, for integers q of the problem's pitch.
void oq_round_weights(const oq_round_problem *p, const int32_t *q, size_t row, float *into);
void oq_round_errors(const oq_round_problem *p, size_t row, float *into); // W^ - W of a row
// The ridge as it is added to the diagonal.
float oq_round_ridge(const oq_round_problem *p);

#endif
