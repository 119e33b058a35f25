// Scalar functions of float32 made of the own exp and log, so that they give the same bits everywhere.
#ifndef OQ_OPS_LIB_SCALAR_H
#define OQ_OPS_LIB_SCALAR_H

#include "base/math.h"

#include <math.h>

// exp(x) - 1 without cancellation near 0: (u - 1) * x / log(u) with u = exp(x) undoes the rounding of u.
static inline float oq_expm1f(float x) {
    const float u = oq_expf(x);
    if (u == 1.0f) return x;
    if (u - 1.0f == -1.0f || isinf(u)) return u - 1.0f;
    return (u - 1.0f) * x / oq_logf(u);
}

// log(1 + x) for x >= 0, by the same idea.
static inline float oq_log1pf(float x) {
    const float u = 1.0f + x;
    return u == 1.0f || isinf(u) ? x : oq_logf(u) * (x / (u - 1.0f));
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
