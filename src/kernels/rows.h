// Functions over rows of numbers, vectorised, the same bits on every instruction set.
#ifndef OQ_KERNELS_ROWS_H
#define OQ_KERNELS_ROWS_H

#include "base/mem.h"

// Elementwise y[i] = f(x[i]); y may be x.
void oq_rows_exp(const float *x, float *y, size_t n);
void oq_rows_log(const float *x, float *y, size_t n);
void oq_rows_tanh(const float *x, float *y, size_t n);
void oq_rows_erf(const float *x, float *y, size_t n);
void oq_rows_sigmoid(const float *x, float *y, size_t n);

// Binary with one side possibly a single value: stride 0 or 1 for each of a and b.
typedef enum oq_rows_binary {
    OQ_ROWS_ADD,
    OQ_ROWS_SUB,
    OQ_ROWS_MUL,
    OQ_ROWS_DIV,
    OQ_ROWS_MAX,
    OQ_ROWS_MIN
} oq_rows_binary;
void oq_rows_binary_f32(oq_rows_binary op, const float *a, size_t a_stride, const float *b, size_t b_stride,
                        float *y, size_t n);
// y[i] = x[i] * factor + y[i], rounded once.
void oq_rows_add_multiple(const float *x, float factor, float *y, size_t n);
// Clamp to [low, high] by compare and blend: NaN stays NaN, -0 stays as it is.
void oq_rows_clamp(const float *x, float low, float high, float *y, size_t n);

// Reductions in float32 over n contiguous values in 16 partial sums, the same order everywhere.
float oq_rows_sum(const float *x, size_t n);
float oq_rows_sum_squares(const float *x, float center, size_t n); // sum of (x - center)^2
float oq_rows_max(const float *x, size_t n);                       // NaN when there is one; -inf for n = 0

// min, max, sum and sum of squares in double, count of NaN, of infinities and of exact zeros: one pass for
// calibration.
typedef struct oq_rows_stats {
    float min, max;          // over finite values; +inf, -inf when there is none
    double sum, sum_squares; // over finite values
    uint64_t nan, infinite, zero;
} oq_rows_stats;
void oq_rows_statistics(const float *x, size_t n, oq_rows_stats *out);
// Adds to the counts of values per bin: bin = floor(x / width) - origin / width, exact because the width is a
// power of two (given as its inverse) and origin a multiple of it; values outside [0, bins) and non-finite
// ones are not counted.
void oq_rows_histogram(const float *x, size_t n, float origin, float inverse_width, uint64_t *counts,
                       size_t bins);

// Quantize and dequantize one run with one scale (semantics: grid/grid.h).
void oq_rows_quantize_8(const float *x, float scale, int32_t zero_point, bool is_signed, void *q, size_t n);
void oq_rows_dequantize_8(const void *q, float scale, int32_t zero_point, bool is_signed, float *x, size_t n);
// q[i] = saturate(round_half_even((float)acc[i] * m) + zp); multiplier stride 0 (one) or 1 (per element).
void oq_rows_requantize_8(const int32_t *acc, const float *multiplier, size_t multiplier_stride,
                          int32_t zero_point, bool is_signed, void *q, size_t n);

#endif
