// Reductions over rows of float32: element i goes to partial result i % 16, and the sixteen are joined in one
// fixed tree, so every instruction set gives the same bits.
#include "kernels/table.h"

#define LANES   16
#define VECTORS (LANES / OQ_W)

static float joined_sum(const vf partial[VECTORS]) {
    float s[LANES];
    for (int v = 0; v < VECTORS; v++) vf_store(s + v * OQ_W, partial[v]);
    for (int step = LANES / 2; step > 0; step /= 2)
        for (int i = 0; i < step; i++) s[i] += s[i + step];
    return s[0];
}

// The lanes of vector v that the last `left` (< 16) elements fill.
OQ_INLINE size_t lanes_left(size_t left, int v) {
    const size_t before = (size_t)(v * OQ_W);
    return left <= before ? 0 : left - before < OQ_W ? left - before : OQ_W;
}

float OQ_FN(rows_sum)(const float *x, size_t n) {
    vf sum[VECTORS];
    for (int v = 0; v < VECTORS; v++) sum[v] = vf_zero();
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int v = 0; v < VECTORS; v++) sum[v] = vf_add(sum[v], vf_load(x + i + v * OQ_W));
    for (int v = 0; v < VECTORS; v++) {
        const size_t lanes = lanes_left(n - i, v);
        if (lanes) sum[v] = vf_add(sum[v], vf_load_up_to(x + i + v * OQ_W, lanes));
    }
    return joined_sum(sum);
}

float OQ_FN(rows_sum_squares)(const float *x, float center, size_t n) {
    const vf middle = vf_set1(center);
    vf sum[VECTORS];
    for (int v = 0; v < VECTORS; v++) sum[v] = vf_zero();
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int v = 0; v < VECTORS; v++) {
            const vf d = vf_sub(vf_load(x + i + v * OQ_W), middle);
            sum[v] = vf_fma(d, d, sum[v]);
        }
    for (int v = 0; v < VECTORS; v++) {
        const size_t lanes = lanes_left(n - i, v);
        if (lanes == 0) break;
        const vf d = vf_sub(vf_load_up_to(x + i + v * OQ_W, lanes), middle);
        const vf there = vf_select(vm_first(lanes), d, vf_zero());
        sum[v] = vf_fma(there, there, sum[v]);
    }
    return joined_sum(sum);
}

// The larger of two, NaN when either is; of equal zeros the first.
OQ_INLINE vf larger(vf a, vf b) {
    a = vf_select(vf_lt(a, b), b, a);
    return vf_select(vf_nan(b), b, a);
}

float OQ_FN(rows_max)(const float *x, size_t n) {
    const vf lowest = vf_set1(-INFINITY);
    vf max[VECTORS];
    for (int v = 0; v < VECTORS; v++) max[v] = lowest;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int v = 0; v < VECTORS; v++) max[v] = larger(max[v], vf_load(x + i + v * OQ_W));
    for (int v = 0; v < VECTORS; v++) {
        const size_t lanes = lanes_left(n - i, v);
        if (lanes == 0) break;
        max[v] = larger(max[v], vf_select(vm_first(lanes), vf_load_up_to(x + i + v * OQ_W, lanes), lowest));
    }
    float m[LANES];
    for (int v = 0; v < VECTORS; v++) vf_store(m + v * OQ_W, max[v]);
    for (int step = LANES / 2; step > 0; step /= 2)
        for (int j = 0; j < step; j++)
            if (m[j] < m[j + step] || m[j + step] != m[j + step]) m[j] = m[j + step];
    return m[0];
}

// --- statistics ---

typedef struct state {
    vf min[VECTORS], max[VECTORS];
    vd sum[2 * VECTORS], squares[2 * VECTORS];
    uint64_t finite, nan, zero;
} state;

// Takes in the first `lanes` of vector v; squares of float32 are exact in double.
OQ_INLINE void take(state *s, int v, vf x, const bool whole, size_t lanes) {
    vm finite = vf_lt(vf_abs(x), vf_set1(INFINITY)), zero = vf_eq(x, vf_zero());
    if (!whole) {
        finite = vm_and(finite, vm_first(lanes));
        zero = vm_and(zero, vm_first(lanes));
        s->nan += vm_count(vm_and(vf_nan(x), vm_first(lanes)));
    } else {
        s->nan += vm_count(vf_nan(x));
    }
    s->finite += vm_count(finite);
    s->zero += vm_count(zero);
    s->min[v] = vf_select(vm_and(finite, vf_lt(x, s->min[v])), x, s->min[v]);
    s->max[v] = vf_select(vm_and(finite, vf_lt(s->max[v], x)), x, s->max[v]);
    const vf number = vf_select(finite, x, vf_zero());
    const vd low = vd_low(number), high = vd_high(number);
    s->sum[2 * v] = vd_add(s->sum[2 * v], low);
    s->sum[2 * v + 1] = vd_add(s->sum[2 * v + 1], high);
    s->squares[2 * v] = vd_add(s->squares[2 * v], vd_mul(low, low));
    s->squares[2 * v + 1] = vd_add(s->squares[2 * v + 1], vd_mul(high, high));
}

static double joined_double(const vd partial[2 * VECTORS]) {
    double s[LANES];
    for (int v = 0; v < 2 * VECTORS; v++) vd_store(s + v * OQ_W / 2, partial[v]);
    for (int step = LANES / 2; step > 0; step /= 2)
        for (int i = 0; i < step; i++) s[i] += s[i + step];
    return s[0];
}

void OQ_FN(rows_statistics)(const float *x, size_t n, oq_rows_stats *out) {
    state s = {.finite = 0};
    for (int v = 0; v < VECTORS; v++) {
        s.min[v] = vf_set1(INFINITY);
        s.max[v] = vf_set1(-INFINITY);
    }
    for (int v = 0; v < 2 * VECTORS; v++) s.sum[v] = s.squares[v] = vd_zero();
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int v = 0; v < VECTORS; v++) take(&s, v, vf_load(x + i + v * OQ_W), true, OQ_W);
    for (int v = 0; v < VECTORS; v++) {
        const size_t lanes = lanes_left(n - i, v);
        if (lanes) take(&s, v, vf_load_up_to(x + i + v * OQ_W, lanes), false, lanes);
    }
    float min[LANES], max[LANES];
    for (int v = 0; v < VECTORS; v++) {
        vf_store(min + v * OQ_W, s.min[v]);
        vf_store(max + v * OQ_W, s.max[v]);
    }
    for (int l = 1; l < LANES; l++) {
        if (min[l] < min[0]) min[0] = min[l];
        if (max[0] < max[l]) max[0] = max[l];
    }
    *out = (oq_rows_stats){.min = min[0],
                           .max = max[0],
                           .sum = joined_double(s.sum),
                           .sum_squares = joined_double(s.squares),
                           .nan = s.nan,
                           .infinite = n - s.finite - s.nan,
                           .zero = s.zero};
}

// --- histogram ---

#define SUBS     4    // histograms that take turns, so that equal neighbours do not wait for one counter
#define SUB_BINS 2048 // at most; more are counted directly
#define CHUNK    128  // elements whose bins are computed at once

// floor(x * inverse_width) also where the product of a negative number underflows to 0.
OQ_INLINE vf widths_below(vf x, vf inverse_width) {
    const vf p = vf_mul(x, inverse_width);
    return vf_select(vm_and(vf_lt(x, vf_zero()), vf_eq(p, vf_zero())), vf_set1(-1), vf_floor(p));
}

// Bin of each element, `bins` for those that have none.
static void bins_of(const float *x, size_t n, vf inverse_width, vf first, vf bins, int32_t *to) {
    for (size_t i = 0; i < n; i += OQ_W) {
        const vf t = vf_sub(widths_below(vf_load_up_to(x + i, n - i), inverse_width), first);
        const vm outside = vm_or(vm_or(vf_lt(t, vf_zero()), vf_nan(t)), vf_eq(t, bins));
        const vf inside = vf_select(vm_or(outside, vf_lt(bins, t)), bins, t);
        vi_store(to + i, vi_truncate(inside));
    }
}

void OQ_FN(rows_histogram)(const float *x, size_t n, float origin, float inverse_width, uint64_t *counts,
                           size_t bins) {
    const vf inverse = vf_set1(inverse_width), first = vf_set1(origin * inverse_width),
             end = vf_set1((float)bins);
    uint32_t sub[SUBS][SUB_BINS + 1];
    int32_t index[CHUNK];
    const bool direct = bins > SUB_BINS || n < 2 * bins;
    if (!direct)
        for (int s = 0; s < SUBS; s++) memset(sub[s], 0, (bins + 1) * sizeof sub[s][0]);
    size_t room = UINT32_MAX; // elements until a counter could overflow
    for (size_t i = 0; i < n; i += CHUNK) {
        const size_t count = n - i < CHUNK ? n - i : CHUNK;
        bins_of(x + i, count, inverse, first, end, index);
        size_t j = 0;
        for (; !direct && j + SUBS <= count; j += SUBS)
            for (int s = 0; s < SUBS; s++) sub[s][index[j + (size_t)s]]++;
        for (; j < count; j++)
            if ((size_t)index[j] < bins) counts[index[j]]++;
        room -= count;
        if (direct || (room >= CHUNK && i + count < n)) continue;
        for (size_t b = 0; b < bins; b++)
            for (int s = 0; s < SUBS; s++) counts[b] += sub[s][b];
        for (int s = 0; s < SUBS; s++) memset(sub[s], 0, (bins + 1) * sizeof sub[s][0]);
        room = UINT32_MAX;
    }
}
