// Discrete Fourier transforms of complex signals in double, by the definition.
#ifndef OQ_OPS_LIB_DFT_H
#define OQ_OPS_LIB_DFT_H

#include "ops/lib/array.h"

typedef struct oq_dft {
    size_t length;      // of the transform: shorter signals are padded with zeros, longer ones cut
    bool inverse;       // divided by length
    bool half;          // the signal is the first half of a symmetric one (real results)
    const double *turn; // cos and sin of 2 pi k / length
} oq_dft;

oq_status oq_dft_plan(oq_run_context *context, size_t length, bool inverse, bool half, oq_dft *out,
                      oq_error *err);
// `count` values: real and imaginary part at x[i * stride], x[i * stride + 1] (is_complex), to `bins` pairs
// at y[k * y_stride].
void oq_dft_run(const oq_dft *dft, const double *x, size_t count, size_t stride, bool is_complex, double *y,
                size_t bins, size_t y_stride);

#endif
