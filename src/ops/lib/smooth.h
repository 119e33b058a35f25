// Scalar and block functions that several operators share, made of the own exp and log where they are
// float32.
#ifndef OQ_OPS_LIB_SMOOTH_H
#define OQ_OPS_LIB_SMOOTH_H

#include "ops/lib/unary.h"

// y[i] = exp(x[i]) - 1 without cancellation near 0; n <= OQ_BLOCK; y may be x.
void oq_block_expm1(const float *x, float *y, size_t n);
// y[i] = log(1 + exp(x[i])) without overflow; n <= OQ_BLOCK; y may be x.
void oq_block_softplus(const float *x, float *y, size_t n);

// A loop (see unary.h) from a function over at most OQ_BLOCK elements:
// void block(const float *x, float *y, size_t n, float a, float b), where y may be x.
#define OQ_UNARY_BLOCKS(name, block)                                                                         \
    static void name(const void *from, void *into, size_t n, const oq_parameter *p) {                        \
        for (size_t at = 0; at < n; at += OQ_BLOCK)                                                          \
            block((const float *)from + at, (float *)into + at, oq_min_size(OQ_BLOCK, n - at),               \
                  (float)p[0].f, (float)p[1].f);                                                             \
    }

// Bounds by compare and blend: NaN stays NaN.
static inline float oq_clampf(float x, float low, float high) {
    const float t = x < low ? low : x;
    return t > high ? high : t;
}
static inline double oq_clamp(double x, double low, double high) {
    const double t = x < low ? low : x;
    return t > high ? high : t;
}

#endif
