// Scales of rows that suit the integers which rounding by data has found.
#include "tune/round_blocks.h"

#include "kernels/rows.h"

#include <math.h>

// A scale moves by this factor at most: rows that the samples do not show would go anywhere.
#define MOST_CHANGE 1.5

typedef struct fitting {
    oq_bench bench;
    oq_qparam *params;
} fitting;

static double dot(const float *a, const float *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)a[i] * (double)b[i];
    return sum;
}

// Of scale z - w with z = q - zero point, (z H w + z a) / (z H z) has the least error, where H is second with
// the ridge and `a` what arrives.
static oq_status fit_block(void *self, size_t block, size_t worker, oq_error *err) {
    const fitting *f = self;
    const oq_bench *b = &f->bench;
    const oq_round_problem *p = b->p;
    const size_t first = block * OQ_BENCH_ROWS, rows = oq_bench_rows(b, block), depth = p->depth;
    float *level = oq_bench_buffer(b, worker, 0), *product = oq_bench_buffer(b, worker, 1),
          *arriving = oq_bench_buffer(b, worker, 2);
    (void)err;
    for (size_t i = 0; i < rows; i++)
        for (size_t k = 0; k < depth; k++)
            level[i * depth + k] =
                (float)(p->q[(first + i) * p->pitch + k] - oq_round_param(p, first + i, k).zero_point);
    oq_bench_multiply(b, level, depth, rows, b->second, product);
    oq_rows_add_multiple(level, b->ridge, product, rows * depth);
    const bool arrives = oq_bench_arriving(b, block, arriving);
    for (size_t i = 0; i < rows; i++) {
        const float *z = level + i * depth, *zh = product + i * depth;
        oq_qparam *param = &f->params[(first + i) * p->param_pitch];
        double wanted = dot(zh, p->w + (first + i) * p->pitch, depth);
        if (arrives) wanted += dot(z, arriving + i * depth, depth);
        const double factor = wanted / dot(zh, z, depth) / (double)param->scale;
        if (factor >= 1 / MOST_CHANGE && factor <= MOST_CHANGE)
            param->scale = (float)((double)param->scale * factor);
    }
    return ONNXQ_OK;
}

oq_status oq_round_fit_scales(const oq_round_problem *problem, oq_qparam *params, oq_error *err) {
    fitting f = {.params = params};
    oq_status status = oq_bench_begin(&f.bench, problem, 3, err);
    if (status == ONNXQ_OK) status = oq_bench_run(&f.bench, fit_block, &f, err);
    oq_bench_end(&f.bench);
    return status;
}
