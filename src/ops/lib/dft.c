// Discrete Fourier transforms by the definition.
#include "ops/lib/dft.h"

#include <math.h>

#define TURN 6.283185307179586476925286766559

oq_status oq_dft_plan(oq_run_context *context, size_t length, bool inverse, bool half, oq_dft *out,
                      oq_error *err) {
    void *block = NULL;
    OQ_TRY(oq_scratch_array(context, length, 2 * sizeof(double), &block, err));
    double *turn = block;
    for (size_t k = 0; k < length; k++) {
        turn[2 * k] = cos(TURN * (double)k / (double)length);
        turn[2 * k + 1] = sin(TURN * (double)k / (double)length);
    }
    *out = (oq_dft){.length = length, .inverse = inverse, .half = half, .turn = turn};
    return ONNXQ_OK;
}

// Value `t` of the signal: padded with zeros, or with the mirrored conjugates when only half of it is given.
static void value_at(const oq_dft *dft, const double *x, size_t count, size_t stride, bool is_complex,
                     size_t t, double *real, double *imaginary) {
    const bool mirrored = dft->half && t > dft->length / 2;
    const size_t at = mirrored ? dft->length - t : t;
    *real = at < count ? x[at * stride] : 0;
    *imaginary = at < count && is_complex ? x[at * stride + 1] : 0;
    if (mirrored) *imaginary = -*imaginary;
    // The ends of a symmetric spectrum are real.
    if (dft->half && (t == 0 || 2 * t == dft->length)) *imaginary = 0;
}

void oq_dft_run(const oq_dft *dft, const double *x, size_t count, size_t stride, bool is_complex, double *y,
                size_t bins, size_t y_stride) {
    const double scale = dft->inverse ? 1.0 / (double)dft->length : 1.0;
    for (size_t k = 0; k < bins; k++) {
        double real = 0;
        double imaginary = 0;
        for (size_t t = 0; t < dft->length; t++) {
            const size_t at = (size_t)((unsigned __int128)k * t % dft->length);
            const double c = dft->turn[2 * at];
            const double s = dft->inverse ? dft->turn[2 * at + 1] : -dft->turn[2 * at + 1];
            double a = 0;
            double b = 0;
            value_at(dft, x, count, stride, is_complex, t, &a, &b);
            real += a * c - b * s;
            imaginary += a * s + b * c;
        }
        y[k * y_stride] = real * scale;
        y[k * y_stride + 1] = imaginary * scale;
    }
}
