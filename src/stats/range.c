// Ranges from histograms: min-max, percentile, entropy, mean squared error.
#include "stats/stats.h"

#include <math.h>
#include <string.h>

static double width(const oq_histogram *h) { return ldexp(1, h->exponent); }
static double edge(const oq_histogram *h, double bin) { return ldexp((double)h->first + bin, h->exponent); }

// The value below which the given count of values lies, interpolated inside its bin.
static double quantile(const oq_tensor_stats *t, double count) {
    double below = 0;
    for (int b = 0; b < OQ_STATS_BINS; b++) {
        const double here = (double)t->histogram.count[b];
        if (here > 0 && below + here >= count) return edge(&t->histogram, b + fmax(0, count - below) / here);
        below += here;
    }
    return (double)t->max;
}

static oq_range percentile_range(const oq_tensor_stats *t, double percentile) {
    const double finite = (double)(t->count - t->nan - t->infinite), cut = finite * (100 - percentile) / 200;
    oq_range r = {quantile(t, cut), quantile(t, finite - cut)};
    r.min = fmax(r.min, (double)t->min);
    r.max = fmin(r.max, (double)t->max);
    if (!(r.min < r.max) || percentile >= 100) r = (oq_range){(double)t->min, (double)t->max};
    return r;
}

// The step that a grid has over a range (widened to hold zero, or symmetric).
static double step_of(const oq_grid *grid, oq_range r, bool symmetric) {
    const int32_t half = (grid->qmax - grid->qmin) / 2; // 127 of -127..127, -128..127 and 0..255
    if (symmetric) return fmax(fabs(r.min), fabs(r.max)) / (double)half;
    return (fmax(r.max, 0) - fmin(r.min, 0)) / (double)(grid->qmax - grid->qmin);
}

// A search over ranges of a tensor for a grid; its readers do not tell values beyond `used` from its ends.
typedef struct search {
    const oq_tensor_stats *t;
    const oq_grid *grid;
    bool symmetric;
    oq_range used;
} search;

// Expected squared error of quantizing the tensor over a range: s^2 / 12 for what lies inside (also where the
// step is finer than a bin, which would read as no error at all), the distance to the end for what lies
// outside, nothing for exact zeros and for what saturates as its readers would have it.
static double squared_error(const search *q, oq_range r) {
    const oq_tensor_stats *t = q->t;
    const oq_grid *grid = q->grid;
    const bool symmetric = q->symmetric;
    const oq_histogram *h = &t->histogram;
    const double s = step_of(grid, r, symmetric), inside = s * s / 12, bin = width(h);
    const double low = symmetric ? -fmax(fabs(r.min), fabs(r.max)) : fmin(r.min, 0);
    const double high = symmetric ? -low : fmax(r.max, 0);
    double error = -(double)t->zero * inside;
    for (int b = 0; b < OQ_STATS_BINS; b++) {
        if (!h->count[b]) continue;
        const double center = edge(h, b + .5), seen = fmin(fmax(center, q->used.min), q->used.max),
                     beyond = fmax(low - seen, seen - high),
                     rounding = seen < center || seen > center ? 0 : inside;
        error += (double)h->count[b] * (beyond > 0 ? beyond * beyond + bin * bin / 12 : rounding);
    }
    return error;
}

// Shrinks one end after the other as long as that lowers the error (coordinate descent over (min, max)).
static oq_range mse_range(const search *q) {
    enum { CANDIDATES = 100, ROUNDS = 3 };
    const bool symmetric = q->symmetric;
    oq_range best = {fmin(fmax((double)q->t->min, q->used.min), q->used.max),
                     fmax(fmin((double)q->t->max, q->used.max), q->used.min)};
    double least = squared_error(q, best);
    if (symmetric) best.max = fmax(fabs(best.min), fabs(best.max)), best.min = -best.max;
    const oq_range full = best;
    for (int round = 0; round < ROUNDS; round++) {
        const double before = least;
        for (int side = 0; side < 2; side++) {
            for (int i = 1; i < CANDIDATES; i++) {
                oq_range r = best;
                const double keep = 1 - (double)i / CANDIDATES;
                if (symmetric || side == 0) r.max = full.max * keep;
                if (symmetric || side == 1) r.min = full.min * keep;
                const double error = r.min < r.max ? squared_error(q, r) : (double)INFINITY;
                if (error < least) least = error, best = r;
            }
        }
        if (!(least < before)) break;
    }
    return best;
}

// Share of the values that lie outside and are told from the ends.
static double share_beyond(const search *q, oq_range r) {
    const oq_histogram *h = &q->t->histogram;
    const double low = r.min > q->used.min ? r.min : -(double)INFINITY,
                 high = r.max < q->used.max ? r.max : (double)INFINITY;
    uint64_t beyond = 0;
    for (int b = 0; b < OQ_STATS_BINS; b++)
        if (edge(h, b + 1) <= low || edge(h, b) >= high) beyond += h->count[b];
    return (double)beyond / (double)q->t->count;
}

// The squared error speaks of independent rounding errors; that many values clipped together are no longer
// noise.
#define MOST_CUT 0.01

// The least squared error, as long as what it cuts off are outliers and not a part of the distribution.
static oq_range auto_range(const search *q) {
    const oq_range cut = mse_range(q);
    return share_beyond(q, cut) <= MOST_CUT ? cut : (oq_range){(double)q->t->min, (double)q->t->max};
}

// Kullback-Leibler divergence between the slice [from, from + kept) with the tails in its end bins (P), and
// the same slice merged to `levels` and spread over its nonzero bins (Q).
static double divergence(const oq_histogram *h, int from, int kept, int levels, double left, double right,
                         double total) {
    double sum = 0, inside = total - left - right;
    if (!(inside > 0)) return (double)INFINITY;
    for (int level = 0; level < levels; level++) {
        const int begin = from + (int)((int64_t)level * kept / levels),
                  end = from + (int)((int64_t)(level + 1) * kept / levels);
        double mass = 0, filled = 0;
        for (int b = begin; b < end; b++) mass += (double)h->count[b], filled += h->count[b] > 0;
        for (int b = begin; b < end; b++) {
            double p = (double)h->count[b];
            if (b == from) p += left;
            if (b == from + kept - 1) p += right;
            if (!(p > 0)) continue;
            const double q = h->count[b] ? mass / filled / inside : 1e-9; // a tail that falls on an empty bin
            sum += p / total * log(p / total / q);
        }
    }
    return sum;
}

// Tries slices of the histogram around zero (symmetric) or shrinking from the end that holds fewer values.
static oq_range entropy_range(const oq_tensor_stats *t, const oq_grid *grid, bool symmetric) {
    enum { LEAST = 128, STEP = 8 };
    const oq_histogram *h = &t->histogram;
    const int levels = symmetric ? grid->qmax - grid->qmin : grid->qmax - grid->qmin + 1;
    int from = 0, end = OQ_STATS_BINS;
    while (end > 1 && !h->count[end - 1]) end--;
    double total = 0, left = 0, right = 0, least = (double)INFINITY;
    for (int b = from; b < end; b++) total += (double)h->count[b];
    oq_range best = {(double)t->min, (double)t->max};
    while (end - from >= LEAST && end - from > levels) {
        const double d = divergence(h, from, end - from, levels, left, right, total);
        if (d < least) {
            least = d;
            best = (oq_range){fmax(edge(h, from), (double)t->min), fmin(edge(h, end), (double)t->max)};
        }
        double low = 0, high = 0;
        for (int b = 0; b < STEP; b++)
            low += (double)h->count[from + b], high += (double)h->count[end - 1 - b];
        const bool shrink_low = symmetric ? fabs(edge(h, from)) >= fabs(edge(h, end)) : low <= high;
        if (shrink_low)
            from += STEP, left += low;
        else
            end -= STEP, right += high;
    }
    return best;
}

oq_status oq_range_of(const oq_tensor_stats *tensor, oq_range_method method, double percentile,
                      const oq_grid *grid, bool symmetric, oq_range *out, oq_error *err) {
    const oq_range all = {-(double)INFINITY, (double)INFINITY};
    return oq_range_within(tensor, method, percentile, grid, symmetric, all, out, err);
}

oq_status oq_range_within(const oq_tensor_stats *tensor, oq_range_method method, double percentile,
                          const oq_grid *grid, bool symmetric, oq_range used, oq_range *out, oq_error *err) {
    const search q = {.t = tensor, .grid = grid, .symmetric = symmetric, .used = used};
    if (tensor->nan || tensor->infinite) {
        oq_fail(err, ONNXQ_BAD_DATA,
                "'%s' holds %s in sample %llu: take that sample out, or leave the node float with --exclude",
                tensor->name, tensor->nan ? "NaN" : "infinity", (unsigned long long)tensor->first_bad_sample);
        oq_error_at_tensor(err, tensor->name);
        return ONNXQ_BAD_DATA;
    }
    if (!(tensor->min <= tensor->max)) {
        oq_fail(err, ONNXQ_BAD_DATA, "'%s' had no values in any sample, so it has no range", tensor->name);
        oq_error_at_tensor(err, tensor->name);
        return ONNXQ_BAD_DATA;
    }
    // A derived range without values of its own has nothing that could be cut.
    switch (tensor->histogram.used ? method : OQ_RANGE_MINMAX) {
    case OQ_RANGE_MINMAX: *out = (oq_range){(double)tensor->min, (double)tensor->max}; break;
    case OQ_RANGE_PERCENTILE: *out = percentile_range(tensor, percentile); break;
    case OQ_RANGE_ENTROPY: *out = entropy_range(tensor, grid, symmetric); break;
    case OQ_RANGE_AUTO: *out = auto_range(&q); break;
    case OQ_RANGE_MSE: *out = mse_range(&q); break;
    }
    return ONNXQ_OK;
}
