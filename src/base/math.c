// Elementary functions in float32, scalar: the shared formulas over single numbers, and pow in double.
#include "base/math.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef float vf;
typedef int32_t vi;
typedef bool vm;

#define NAME static inline __attribute__((unused))

NAME vf vf_set1(float a) { return a; }
NAME vf vf_add(vf a, vf b) { return a + b; }
NAME vf vf_sub(vf a, vf b) { return a - b; }
NAME vf vf_mul(vf a, vf b) { return a * b; }
NAME vf vf_div(vf a, vf b) { return a / b; }
NAME vf vf_fma(vf a, vf b, vf c) { return fmaf(a, b, c); }
NAME vm vf_lt(vf a, vf b) { return a < b; }
NAME vm vf_nan(vf a) { return a != a; }
NAME vf vf_select(vm m, vf yes, vf no) { return m ? yes : no; }
NAME vf vf_convert(vi a) { return (float)a; }
NAME vi vf_bits(vf a) {
    vi r;
    memcpy(&r, &a, sizeof r);
    return r;
}
NAME vf vf_from_bits(vi a) {
    vf r;
    memcpy(&r, &a, sizeof r);
    return r;
}
NAME vi vi_set1(int32_t a) { return a; }
NAME vi vi_add(vi a, vi b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
NAME vi vi_sub(vi a, vi b) { return (int32_t)((uint32_t)a - (uint32_t)b); }
NAME vi vi_and(vi a, vi b) { return a & b; }
NAME vi vi_or(vi a, vi b) { return a | b; }
NAME vi vi_shl(vi a, int n) { return (int32_t)((uint32_t)a << n); }
NAME vi vi_sra(vi a, int n) { return a >> n; }
NAME vf vf_abs(vf a) { return vf_from_bits(vf_bits(a) & 0x7fffffff); }

#include "base/math_formulas.h"

float oq_expf(float x) { return oq_exp_formula(x); }
float oq_logf(float x) { return oq_log_formula(x); }
float oq_tanhf(float x) { return oq_tanh_formula(x); }
float oq_erff(float x) { return oq_erf_formula(x); }
float oq_sigmoidf(float x) { return oq_sigmoid_formula(x); }

// log2 of a finite x > 0, error below 2^-38 relative: log2(m) = 2 / ln 2 * atanh(s), s = (m - 1) / (m + 1).
static double log2_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const int64_t exponent = (int64_t)(bits - 0x3fe6a09e667f3bcdu) >> 52; // m in [sqrt(1/2), sqrt(2))
    bits -= (uint64_t)exponent << 52;
    double m;
    memcpy(&m, &bits, sizeof m);
    const double s = (m - 1.0) / (m + 1.0), z = s * s;
    double sum = 0.0;
    for (int term = 17; term >= 1; term -= 2) sum = fma(sum, z, 1.0 / term);
    return (double)exponent + 2.88539008177792681472 * (s * sum);
}

// 2^x for |x| < 1000, error below 2^-40 relative.
static double exp2_of(double x) {
    const double rounder = 0x1.8p52, n = (x + rounder) - rounder, r = (x - n) * 0.69314718055994530942;
    double sum = 1.0;
    for (int term = 12; term >= 1; term--) sum = fma(sum, r / term, 1.0);
    const uint64_t bits = (uint64_t)((int64_t)n + 1023) << 52;
    double scale;
    memcpy(&scale, &bits, sizeof scale);
    return sum * scale;
}

// 0 for a y that is no integer, 1 for an odd one, 2 for an even one; every float from 2^24 on is even.
static int parity(float y) {
    const float a = fabsf(y);
    if (a >= 0x1p24f) return 2;
    const int32_t whole = (int32_t)a;
    return (float)whole != a ? 0 : whole & 1 ? 1 : 2;
}

float oq_powf(float x, float y) {
    if (y == 0.0f || x == 1.0f) return 1.0f;
    if (x != x || y != y) return x + y;
    const float a = fabsf(x);
    const int whole = parity(y);
    const bool negative = signbit(x) && whole == 1;
    if (isinf(y)) return a == 1.0f ? 1.0f : (a > 1.0f) == (y > 0.0f) ? INFINITY : 0.0f;
    if (a == 0.0f || isinf(a)) {
        const float magnitude = (a == 0.0f) == (y < 0.0f) ? INFINITY : 0.0f;
        return negative ? -magnitude : magnitude;
    }
    if (x < 0.0f && whole == 0) return NAN;
    double exponent = (double)y * log2_of((double)a);
    exponent = exponent > 300.0 ? 300.0 : exponent < -300.0 ? -300.0 : exponent; // infinity and 0 as floats
    const float magnitude = (float)exp2_of(exponent);
    return negative ? -magnitude : magnitude;
}
