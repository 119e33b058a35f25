// Power-of-two histograms: widths double by merging pairs of bins, so counts stay exact and order does not
// matter.
#include "kernels/rows.h"
#include "stats/stats.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum {
    LEAST_EXPONENT = -100, // of a width: its inverse is a float
    MOST_FIRST_BITS = 40   // |first| < 2^40: bins far from zero do not get narrower than that
};

// The bin of a value at a width of 2^exponent.
static int64_t bin_of(double value, int exponent) { return (int64_t)floor(ldexp(value, -exponent)); }

static int exponent_for(float min, float max) {
    const double most = fmax(fabs((double)min), fabs((double)max));
    int exponent = LEAST_EXPONENT;
    if (most > 0 && ilogb(most) - MOST_FIRST_BITS > exponent) exponent = ilogb(most) - MOST_FIRST_BITS;
    const double span = (double)max - (double)min;
    if (span > 0 && ilogb(span / OQ_STATS_BINS) > exponent) exponent = ilogb(span / OQ_STATS_BINS);
    while (bin_of((double)max, exponent) - bin_of((double)min, exponent) >= OQ_STATS_BINS) exponent++;
    return exponent;
}

// floor(a / 2^shift) for negative a as well.
static int64_t halve(int64_t a, int shift) { return shift > 62 ? (a < 0 ? -1 : 0) : a >> shift; }

// Adds the bins of `from` to `into`, whose width is the same or 2^k times as large and whose bins hold all of
// them.
static void pour(oq_histogram *into, const oq_histogram *from) {
    const int shift = into->exponent - from->exponent;
    for (int b = 0; from->used && b < OQ_STATS_BINS; b++) {
        if (!from->count[b]) continue;
        const int64_t at = halve(from->first + b, shift) - into->first;
        if (at >= 0 && at < OQ_STATS_BINS) into->count[at] += from->count[b];
    }
}

// Moves the histogram to the place that min and max ask for.
static void place(oq_histogram *h, float min, float max) {
    const int exponent = exponent_for(min, max);
    const int64_t first = bin_of((double)min, exponent);
    if (h->used && h->exponent == exponent && h->first == first) return;
    const oq_histogram old = *h;
    *h = (oq_histogram){.exponent = exponent, .first = first, .used = true};
    pour(h, &old);
}

// The same without float32 in between, for ranges whose first edge is beyond its largest number.
static void count_widely(oq_histogram *h, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (isfinite(x[i])) h->count[bin_of((double)x[i], h->exponent) - h->first]++;
}

void oq_histogram_add(oq_histogram *h, const float *x, size_t n, float min, float max) {
    if (!(min <= max)) return; // no finite value so far
    place(h, min, max);
    const double origin = ldexp((double)h->first, h->exponent);
    if (fabs(origin) > (double)FLT_MAX)
        count_widely(h, x, n);
    else
        oq_rows_histogram(x, n, (float)origin, (float)ldexp(1, -h->exponent), h->count, OQ_STATS_BINS);
}

void oq_histogram_merge(oq_histogram *into, const oq_histogram *other, float min, float max) {
    if (!(min <= max)) return;
    place(into, min, max);
    pour(into, other);
}

bool oq_histogram_is_placed(const oq_histogram *h, float min, float max) {
    if (!isfinite(min) || !isfinite(max) || min > max) return !h->used;
    const int exponent = exponent_for(min, max);
    return h->used && h->exponent == exponent && h->first == bin_of((double)min, exponent);
}
