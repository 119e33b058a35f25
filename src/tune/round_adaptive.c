// AdaRound on second moments: each weight goes up or down from the grid point below it by h(v) =
// clip(1.2 sigmoid(v) - .1, 0, 1) in [0, 1].
#include "tune/round_blocks.h"

#include "base/math.h"
#include "kernels/rows.h"

#include <math.h>

enum { STEPS = 500, WARM_UP = STEPS / 5, HIGHEST_POWER = 20, LEAST_POWER = 2 };
#define RATE     .02F // of Adam
#define FORGET_1 .9F
#define FORGET_2 .999F
#define WEIGHT   .1F // of the regulariser, against errors in units of the squared grid step

// One block on its way; all [rows, depth].
typedef struct block {
    const oq_bench *b;
    size_t first, rows, count;
    float *w, *low, *zero, *scale; // weights; the grid point below each, which may lie outside of the grid
    float *v, *sigmoid, *mean, *square, *gradient, *error, *arriving;
    bool arrives;
} block;

enum { BUFFERS = 11 };

static float h_of(float sigmoid) { return fminf(fmaxf(1.2F * sigmoid - .1F, 0), 1); }

static float clamp(const block *o, float q) {
    return fminf(fmaxf(q, (float)o->b->p->grid.qmin), (float)o->b->p->grid.qmax);
}

static void open_block(block *o, const oq_bench *b, size_t index, size_t worker) {
    *o = (block){.b = b, .first = index * OQ_BENCH_ROWS, .rows = oq_bench_rows(b, index)};
    float **const buffers[BUFFERS] = {&o->w,    &o->low,    &o->zero,     &o->scale, &o->v,       &o->sigmoid,
                                      &o->mean, &o->square, &o->gradient, &o->error, &o->arriving};
    for (size_t i = 0; i < BUFFERS; i++) *buffers[i] = oq_bench_buffer(b, worker, i);
    o->count = o->rows * b->p->depth;
    o->arrives = oq_bench_arriving(b, index, o->arriving);
}

// h as far up as the weight lies between its grid points.
static void start(const block *o) {
    const oq_round_problem *p = o->b->p;
    for (size_t r = 0, i = 0; r < o->rows; r++)
        for (size_t k = 0; k < p->depth; k++, i++) {
            const oq_qparam param = oq_round_param(p, o->first + r, k);
            o->w[i] = p->w[(o->first + r) * p->pitch + k];
            o->scale[i] = param.scale;
            o->zero[i] = (float)param.zero_point;
            const float steps = o->w[i] / param.scale, whole = floorf(steps),
                        share = (steps - whole + .1F) / 1.2F;
            o->low[i] = whole + o->zero[i];
            o->v[i] = oq_logf(share / (1 - share));
            o->mean[i] = o->square[i] = 0;
        }
}

// Half the gradient for the weights, each as high as its h says.
static void find_gradient(const block *o) {
    oq_rows_sigmoid(o->v, o->sigmoid, o->count);
    for (size_t i = 0; i < o->count; i++) {
        const float q = clamp(o, o->low[i] + h_of(o->sigmoid[i]));
        o->error[i] = (q - o->zero[i]) * o->scale[i] - o->w[i];
    }
    oq_bench_multiply(o->b, o->error, o->b->p->depth, o->rows, o->b->second, o->gradient);
    oq_rows_add_multiple(o->error, o->b->ridge, o->gradient, o->count);
    if (o->arrives) oq_rows_add_multiple(o->arriving, -1, o->gradient, o->count);
}

// x^n for n of at least 1.
static float power(float x, int n) {
    float result = 1;
    for (; n; n >>= 1, x *= x)
        if (n & 1) result *= x;
    return result;
}

// Slope of WEIGHT (1 - |2h - 1|^exponent).
static float regulariser(float h, int exponent) {
    const float off = 2 * h - 1, slope = 2 * (float)exponent * power(fabsf(off), exponent - 1);
    return off > 0 ? -WEIGHT * slope : WEIGHT * slope;
}

// Adam (Kingma and Ba 2014); `unit` makes errors of squared ones those in units of squared steps.
static void descend(const block *o, int step, float unit) {
    const int cooled = step - WARM_UP,
              exponent = HIGHEST_POWER - (HIGHEST_POWER - LEAST_POWER) * cooled / (STEPS - WARM_UP);
    const float bias_1 = 1 - power(FORGET_1, step + 1), bias_2 = 1 - power(FORGET_2, step + 1);
    for (size_t i = 0; i < o->count; i++) {
        const float s = o->sigmoid[i], h = h_of(s), slope = h > 0 && h < 1 ? 1.2F * s * (1 - s) : 0;
        float g = 2 * o->gradient[i] * unit / o->scale[i];
        if (cooled >= 0) g += regulariser(h, exponent);
        g *= slope;
        o->mean[i] = FORGET_1 * o->mean[i] + (1 - FORGET_1) * g;
        o->square[i] = FORGET_2 * o->square[i] + (1 - FORGET_2) * g * g;
        o->v[i] -= RATE * (o->mean[i] / bias_1) / (sqrtf(o->square[i] / bias_2) + 1e-8F);
    }
}

static oq_status round_block(void *self, size_t index, size_t worker, oq_error *err) {
    const oq_bench *b = self;
    const oq_round_problem *p = b->p;
    const float unit = b->ridge > 0 ? p->ridge / b->ridge : 1; // 1 / mean of the diagonal
    block o;
    (void)err;
    open_block(&o, b, index, worker);
    start(&o);
    for (int step = 0; step < STEPS; step++) {
        find_gradient(&o);
        descend(&o, step, unit);
    }
    for (size_t r = 0, i = 0; r < o.rows; r++)
        for (size_t k = 0; k < p->depth; k++, i++)
            p->q[(o.first + r) * p->pitch + k] = (int32_t)clamp(&o, o.low[i] + (o.v[i] >= 0 ? 1.0F : 0.0F));
    return ONNXQ_OK;
}

oq_status oq_round_adaptively(const oq_round_problem *problem, oq_error *err) {
    oq_bench b;
    oq_status status = oq_bench_begin(&b, problem, BUFFERS, err);
    if (status == ONNXQ_OK) status = oq_bench_run(&b, round_block, &b, err);
    oq_bench_end(&b);
    return status;
}
