// Block functions that several operators share, made of the own exp and log.
#include "ops/lib/smooth.h"

#include "kernels/rows.h"

#include <math.h>

// With u = exp(x) rounded, (u - 1) * x / log(u) undoes the rounding of u (W. Kahan).
void oq_block_expm1(const float *x, float *y, size_t n) {
    float u[OQ_BLOCK], l[OQ_BLOCK];
    oq_rows_exp(x, u, n);
    oq_rows_log(u, l, n);
    for (size_t i = 0; i < n; i++) {
        const float d = u[i] - 1.0f, exact = d * x[i] / l[i];
        const bool near_zero = d == 0, far = (d == -1.0f) | (d == INFINITY);
        y[i] = near_zero ? x[i] : far ? d : exact;
    }
}

// max(x, 0) + log(1 + e) with e = exp(-|x|), the logarithm by the same idea.
void oq_block_softplus(const float *x, float *y, size_t n) {
    float e[OQ_BLOCK] = {0}, u[OQ_BLOCK], l[OQ_BLOCK];
    for (size_t i = 0; i < n; i++) e[i] = -fabsf(x[i]);
    oq_rows_exp(e, e, n);
    for (size_t i = 0; i < n; i++) u[i] = 1.0f + e[i];
    oq_rows_log(u, l, n);
    for (size_t i = 0; i < n; i++) {
        const float d = u[i] - 1.0f, tail = d == 0 ? e[i] : l[i] * (e[i] / d);
        y[i] = (x[i] < 0 ? 0 : x[i]) + tail;
    }
}
