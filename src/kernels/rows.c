// Row functions: the public names, forwarded to the instruction set in use.
#include "kernels/rows.h"

#include "kernels/table.h"

void oq_rows_exp(const float *x, float *y, size_t n) { oq_kernels()->rows_exp(x, y, n); }
void oq_rows_log(const float *x, float *y, size_t n) { oq_kernels()->rows_log(x, y, n); }
void oq_rows_tanh(const float *x, float *y, size_t n) { oq_kernels()->rows_tanh(x, y, n); }
void oq_rows_erf(const float *x, float *y, size_t n) { oq_kernels()->rows_erf(x, y, n); }
void oq_rows_sigmoid(const float *x, float *y, size_t n) { oq_kernels()->rows_sigmoid(x, y, n); }

void oq_rows_binary_f32(oq_rows_binary op, const float *a, size_t a_stride, const float *b, size_t b_stride,
                        float *y, size_t n) {
    oq_kernels()->rows_binary_f32(op, a, a_stride, b, b_stride, y, n);
}

void oq_rows_add_multiple(const float *x, float factor, float *y, size_t n) {
    oq_kernels()->rows_add_multiple(x, factor, y, n);
}

void oq_rows_clamp(const float *x, float low, float high, float *y, size_t n) {
    oq_kernels()->rows_clamp(x, low, high, y, n);
}

float oq_rows_sum(const float *x, size_t n) { return oq_kernels()->rows_sum(x, n); }
float oq_rows_sum_squares(const float *x, float center, size_t n) {
    return oq_kernels()->rows_sum_squares(x, center, n);
}
float oq_rows_max(const float *x, size_t n) { return oq_kernels()->rows_max(x, n); }

void oq_rows_statistics(const float *x, size_t n, oq_rows_stats *out) {
    oq_kernels()->rows_statistics(x, n, out);
}

void oq_rows_histogram(const float *x, size_t n, float origin, float inverse_width, uint64_t *counts,
                       size_t bins) {
    oq_kernels()->rows_histogram(x, n, origin, inverse_width, counts, bins);
}

void oq_rows_quantize_8(const float *x, float scale, int32_t zero_point, bool is_signed, void *q, size_t n) {
    oq_kernels()->rows_quantize_8(x, scale, zero_point, is_signed, q, n);
}

void oq_rows_dequantize_8(const void *q, float scale, int32_t zero_point, bool is_signed, float *x,
                          size_t n) {
    oq_kernels()->rows_dequantize_8(q, scale, zero_point, is_signed, x, n);
}

void oq_rows_requantize_8(const int32_t *acc, const float *multiplier, size_t multiplier_stride,
                          int32_t zero_point, bool is_signed, void *q, size_t n) {
    oq_kernels()->rows_requantize_8(acc, multiplier, multiplier_stride, zero_point, is_signed, q, n);
}
