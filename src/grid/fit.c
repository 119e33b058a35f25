// Parameters from the elements themselves: least and greatest, or the range with the least rounding error.
#include "base/math.h"
#include "grid/layout.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { CANDIDATES = 80, ROUNDS = 5, CHUNK = 256 };

// |r|^exponent of float32 numbers, within 1e-5 relative: r = m * 2^e with m in [1, 2), so the product of a
// power of m, interpolated, and one of 2^e.
enum { STEPS = 256 };
typedef struct power {
    double mantissa[STEPS + 1], scale[256];
} power;

static void power_init(power *p, double exponent) {
    for (int i = 0; i <= STEPS; i++)
        p->mantissa[i] = (double)oq_powf(1 + (float)i / (float)STEPS, (float)exponent);
    p->scale[0] = 0; // zero and denormal numbers
    for (int e = 1; e < 256; e++) p->scale[e] = (double)oq_powf(2, (float)(exponent * (e - 127)));
}

static inline double power_of(const power *p, float r) {
    uint32_t bits;
    memcpy(&bits, &r, sizeof bits);
    const uint32_t at = bits >> 15 & 255;
    const double part = (double)(bits & 0x7fff) / 0x1p15;
    return p->scale[bits >> 23 & 255] * (p->mantissa[at] + part * (p->mantissa[at + 1] - p->mantissa[at]));
}

// Elements of one block; `weight` may be NULL.
typedef struct block {
    const float *x, *weight;
    size_t count;
} block;

// Sum of |x - x^|^exponent, weighted, in units of scale^exponent; more than `most` ends it early.
static double error_of(const oq_grid *grid, oq_qparam param, const power *p, const block *b, double most) {
    int32_t q[CHUNK];
    double sum = 0;
    for (size_t done = 0; done < b->count && sum <= most; done += CHUNK) {
        const size_t n = b->count - done < CHUNK ? b->count - done : CHUNK;
        const float *x = b->x + done;
        oq_quantize(grid, param, x, q, n);
        for (size_t i = 0; i < n; i++) {
            const double error = power_of(p, x[i] / param.scale - (float)(q[i] - param.zero_point));
            sum += b->weight ? (double)b->weight[done + i] * error : error;
        }
    }
    return sum;
}

// What the search works with for one tensor.
typedef struct search {
    const oq_grid *grid;
    const oq_fit *fit;
    const char *tensor;
    power power;
} search;

static oq_status param_of(const search *s, double min, double max, oq_qparam *out, oq_error *err) {
    return s->fit->symmetric ? oq_grid_symmetric(s->grid, fmax(-min, max), s->tensor, out, err)
                             : oq_grid_asymmetric(s->grid, min, max, s->tensor, out, err);
}

// The scale that is best for the integers as they are: sum(w x c) / sum(w c^2) with c = q - zero point.
static double least_squares(const oq_grid *grid, oq_qparam param, const block *b) {
    double above = 0, below = 0;
    for (size_t i = 0; i < b->count; i++) {
        const double c = oq_quantize_one(grid, param, b->x[i]) - param.zero_point, w = (double)b->weight[i];
        above += w * (double)b->x[i] * c;
        below += w * c * c;
    }
    return below > 0 ? above / below : 0;
}

// Sum of |x - x^|^exponent, weighted, in units of `whole`; more than `most` ends it early.
static double whole_error(const search *s, const block *b, oq_qparam param, double most, float whole) {
    const double unit = (double)oq_powf(param.scale / whole, (float)s->fit->exponent);
    return unit * error_of(s->grid, param, &s->power, b, most / unit);
}

// Scale and integers in turn, while the weighted error falls.
static void alternate(const search *s, const block *b, double best, float whole, oq_qparam *out) {
    for (int round = 0; round < ROUNDS; round++) {
        const float scale = (float)least_squares(s->grid, *out, b);
        const oq_qparam param = {.scale = scale, .zero_point = out->zero_point};
        if (!(scale >= FLT_MIN)) return;
        const double error = whole_error(s, b, param, best, whole);
        if (!(error < best)) return;
        best = error, *out = param;
    }
}

// --- half-quadratic search ---

#define SHRINK_POWER 0.7  // p: errors count |e|^p, so that few large ones are let be
#define SHRINK_BETA  10.0 // how close the errors that are let be come to the errors there are
enum { SHRINK_ROUNDS = 20 };

// The part of an error, in steps, that is let be: |e| - |e|^(p - 1) / beta where that is above 0.
static double let_be(double error) {
    const double size = fabs(error);
    const double part =
        size > 0 ? size - (double)oq_powf((float)size, (float)SHRINK_POWER - 1) / SHRINK_BETA : 0;
    return part > 0 ? copysign(part, error) : 0;
}

// The straight line from integers to what they stand for: x / scale without what is let be. One round of the
// search; false when there is none.
static bool fit_line(const search *s, const block *b, double *scale, double *zero) {
    double n = (double)b->count, q1 = 0, q2 = 0, t1 = 0, qt = 0;
    for (size_t i = 0; i < b->count; i++) {
        const double x = (double)b->x[i] / *scale,
                     q = fmin(fmax(rint(x + *zero), s->grid->qmin), s->grid->qmax) - *zero;
        const double t = x - let_be(x - q);
        q1 += q, q2 += q * q, t1 += t, qt += q * t;
    }
    if (s->fit->symmetric) q1 = t1 = 0; // through 0
    const double spread = q2 - q1 * q1 / n, slope = (qt - q1 * t1 / n) / spread;
    if (!(spread > 0) || !(slope > 0)) return false;
    *zero += (q1 - t1 / slope) / n;
    *scale *= slope;
    *zero = fmin(fmax(*zero, s->grid->qmin), s->grid->qmax);
    return true;
}

// Zero points are integers in ONNX: both neighbours of the one that was found are looked at.
static void search_half_quadratic(const search *s, const block *b, double best, float whole, oq_qparam *out) {
    double scale = (double)out->scale, zero = out->zero_point;
    for (int round = 0; round < SHRINK_ROUNDS && fit_line(s, b, &scale, &zero); round++)
        for (int up = 0; up < 2; up++) {
            const oq_qparam param = {.scale = (float)scale,
                                     .zero_point = (int32_t)(up ? ceil(zero) : floor(zero))};
            if (!(param.scale >= FLT_MIN)) return;
            const double error = whole_error(s, b, param, best, whole);
            if (error < best) best = error, *out = param;
        }
}

// The largest multiple of the range that is looked at. A symmetric grid that has one integer more below 0
// than above cuts the largest element off by half a step where that is positive; with the range of the grid
// without that integer it cuts off nothing.
static double widest(const search *s) {
    const double top = s->grid->qmax;
    return s->fit->symmetric && s->grid->is_signed && !s->grid->narrow ? (top + 0.5) / top : 1;
}

static oq_status fit_block(const search *s, const block *b, oq_qparam *out, oq_error *err) {
    double min = 0, max = 0; // ranges hold 0
    for (size_t i = 0; i < b->count; i++) {
        const double value = (double)b->x[i];
        if (!isfinite(value)) min = (double)NAN; // stays: no comparison with NaN holds
        if (value < min) min = value;
        if (value > max) max = value;
    }
    OQ_TRY(param_of(s, min, isnan(min) ? min : max, out, err));
    if (!(s->fit->exponent > 0)) return ONNXQ_OK;
    const float whole = out->scale;
    const double most = widest(s);
    double best = (double)INFINITY;
    for (int i = (int)floor(100 - 100 * most); i < CANDIDATES; i++) {
        const double keep = fmin(most, 1 - (double)i / 100);
        oq_qparam param;
        OQ_TRY(param_of(s, min * keep, max * keep, &param, err));
        const double error = whole_error(s, b, param, best, whole);
        if (error < best) best = error, *out = param;
    }
    if (b->weight)
        alternate(s, b, best, whole, out);
    else if (s->fit->half_quadratic)
        search_half_quadratic(s, b, best, whole, out);
    return ONNXQ_OK;
}

oq_status oq_layout_fit(oq_mem *mem, const oq_layout *layout, const oq_grid *grid, const oq_fit *fit,
                        const float *x, const char *tensor, oq_qparam *params, oq_error *err) {
    search s = {.grid = grid, .fit = fit, .tensor = tensor};
    const size_t size = oq_layout_block_size(layout);
    float *elements = oq_mem_calloc(mem, 2 * size, sizeof *elements, err), *weights = elements + size;
    if (!elements) return ONNXQ_NO_MEMORY;
    if (fit->exponent > 0) power_init(&s.power, fit->exponent);
    oq_status status = ONNXQ_OK;
    for (size_t p = 0; p < oq_layout_params(layout) && status == ONNXQ_OK; p++) {
        const block b = {elements, fit->importance ? weights : NULL,
                         oq_layout_gather(layout, p, x, elements)};
        if (b.weight) oq_layout_gather(layout, p, fit->importance, weights);
        status = fit_block(&s, &b, &params[p], err);
    }
    oq_mem_free(mem, elements);
    return status;
}
