// The formulas of our elementary functions, written once: base/math.c includes them with scalars behind the
// names vf_*, vi_*, vm_*, the kernels with vectors, so both give the same bits. Every step is an IEEE
// operation or a fused multiply-add. Coefficients are minimax fits (relative error below 2^-27), rounded to
// float32.
#ifndef OQ_BASE_MATH_FORMULAS_H
#define OQ_BASE_MATH_FORMULAS_H

#define OQ_FORMULA static inline __attribute__((always_inline, unused))

#define OQ_LOG2_E  0x1.715476p+0f
#define OQ_LN2_HI  0x1.63p-1f       // 9 bits: its product with an exponent is exact
#define OQ_LN2_LO  -0x1.bd0106p-13f // ln 2 - OQ_LN2_HI
#define OQ_ROUNDER 12582912.0f      // 1.5 * 2^23: adding it rounds to an integer, half to even

// Horner's scheme: coefficients from the highest power down.
OQ_FORMULA vf oq_polynomial(vf x, const float *coefficients, const int count) {
    vf y = vf_set1(coefficients[0]);
#pragma GCC unroll 10
    for (int i = 1; i < count; i++) y = vf_fma(y, x, vf_set1(coefficients[i]));
    return y;
}

// y * 2^n for n in -150..129, rounded once: the first half of the factor is exact.
OQ_FORMULA vf oq_scale(vf y, vi n) {
    const vi half = vi_sra(n, 1), rest = vi_sub(n, half), bias = vi_set1(127);
    y = vf_mul(y, vf_from_bits(vi_shl(vi_add(half, bias), 23)));
    return vf_mul(y, vf_from_bits(vi_shl(vi_add(rest, bias), 23)));
}

// exp(x) = 2^n * exp(r), |r| <= ln(2) / 2.
OQ_FORMULA vf oq_exp_formula(vf x) {
    static const float q[] = {1.97900619e-4f, 1.39449432e-3f, 8.33349861e-3f,
                              4.16662917e-2f, 0.166666657f,   0.5f};
    const vf low = vf_set1(-104.0f), high = vf_set1(89.0f), rounder = vf_set1(OQ_ROUNDER);
    vf t = vf_select(vf_lt(x, low), low, x); // beyond: 0 and infinity
    t = vf_select(vf_lt(high, t), high, t);
    const vf shifted = vf_fma(t, vf_set1(OQ_LOG2_E), rounder);
    const vf n = vf_sub(shifted, rounder);
    const vf exact = vf_fma(n, vf_set1(-OQ_LN2_HI), t);
    const vf r = vf_fma(n, vf_set1(-OQ_LN2_LO), exact);
    const vf lost = vf_fma(n, vf_set1(-OQ_LN2_LO), vf_sub(exact, r)); // in r's rounding
    const vf tail = vf_add(r, vf_fma(vf_mul(r, r), oq_polynomial(r, q, 6), lost));
    const vf y = oq_scale(vf_add(tail, vf_set1(1.0f)), vi_sub(vf_bits(shifted), vf_bits(rounder)));
    return vf_select(vf_nan(x), x, y);
}

// log(x) = e ln 2 + log(1 + f), 2/3 <= 1 + f < 4/3.
OQ_FORMULA vf oq_log_formula(vf x) {
    static const float q[] = {-0.129700273f, 0.140251428f,  -0.121626444f, 0.139973417f, -0.166826159f,
                              0.200109586f,  -0.249997094f, 0.333332062f,  -0.5f};
    const vm tiny = vf_lt(x, vf_set1(0x1p-126f));
    const vf normal = vf_select(tiny, vf_mul(x, vf_set1(0x1p23f)), x);
    const vi bits = vf_bits(normal), exponent = vi_sra(vi_sub(bits, vi_set1(0x3f2aaaab)), 23); // 2/3
    const vf f = vf_sub(vf_from_bits(vi_sub(bits, vi_shl(exponent, 23))), vf_set1(1.0f));
    const vf e = vf_sub(vf_convert(exponent), vf_select(tiny, vf_set1(23.0f), vf_set1(0.0f)));
    const vf high = vf_fma(e, vf_set1(OQ_LN2_HI), f); // its rounding error goes to the tail
    const vf lost = vf_add(vf_sub(vf_mul(e, vf_set1(OQ_LN2_HI)), high), f);
    const vf small = vf_fma(e, vf_set1(OQ_LN2_LO), lost);
    vf y = vf_add(high, vf_fma(vf_mul(f, f), oq_polynomial(f, q, 9), small));
    const vf infinity = vf_set1(INFINITY), zero = vf_set1(0.0f);
    y = vf_select(vf_lt(x, infinity), y, x); // infinity and NaN stay
    y = vf_select(vf_lt(x, zero), vf_set1(NAN), y);
    return vf_select(vf_lt(vf_abs(x), vf_set1(0x1p-149f)), vf_set1(-INFINITY), y);
}

OQ_FORMULA vf oq_with_sign_of(vf magnitude, vf sign) {
    return vf_from_bits(vi_or(vf_bits(magnitude), vi_and(vf_bits(sign), vi_set1(INT32_MIN))));
}

// tanh(x): odd polynomial near 0, else 1 - 2 / (exp(2|x|) + 1) with the sign of x.
OQ_FORMULA vf oq_tanh_formula(vf x) {
    static const float p[] = {-5.66697726e-3f, 2.06061769e-2f, -5.37300073e-2f, 0.133313313f, -0.333332777f};
    const vf a = vf_abs(x), s = vf_mul(x, x), one = vf_set1(1.0f), two = vf_set1(2.0f);
    const vf small = vf_fma(vf_mul(x, s), oq_polynomial(s, p, 5), x);
    const vf large = vf_sub(one, vf_div(two, vf_add(oq_exp_formula(vf_add(a, a)), one)));
    return oq_with_sign_of(vf_select(vf_lt(a, vf_set1(0.625f)), small, large), x);
}

// erf(x): odd polynomial near 0, else 1 - exp(-g(|x|)) with g = -log(1 - erf) and the sign of x.
OQ_FORMULA vf oq_erf_formula(vf x) {
    static const float p[] = {8.18510671e-5f, -8.09770718e-4f, 5.19695273e-3f, -2.68577058e-2f,
                              0.112836637f,   -0.376126319f,   0.128379166f};
    static const float h[] = {1.12312609e-5f, -3.22803447e-4f, 3.64245754e-3f, -2.37620603e-2f,
                              0.106236875f,   0.635151327f,    0.12864849f};
    const vf a = vf_abs(x), s = vf_mul(x, x), four = vf_set1(4.0f);
    const vf small = vf_fma(x, oq_polynomial(s, p, 7), x);
    const vf t = vf_select(vf_lt(four, a), four, a); // erf rounds to 1 from here on
    const vf g = vf_fma(t, oq_polynomial(t, h, 7), t);
    const vf large = vf_sub(vf_set1(1.0f), oq_exp_formula(vf_sub(vf_set1(0.0f), g)));
    return oq_with_sign_of(vf_select(vf_lt(a, vf_set1(0.9375f)), small, large), x);
}

// 1 / (1 + exp(-x)), through exp(-|x|) so that nothing overflows.
OQ_FORMULA vf oq_sigmoid_formula(vf x) {
    const vf e = oq_exp_formula(vf_sub(vf_set1(0.0f), vf_abs(x))), one = vf_set1(1.0f);
    const vf numerator = vf_select(vf_lt(x, vf_set1(0.0f)), e, one);
    return vf_div(numerator, vf_add(one, e));
}

#endif
