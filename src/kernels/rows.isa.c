// Elementwise functions over rows of float32: own elementary functions, arithmetic, clamping.
#include "kernels/table.h"

#include "base/math_formulas.h"

#define MAP(name, formula)                                                                                   \
    void OQ_FN(name)(const float *x, float *y, size_t n) {                                                   \
        for (size_t i = 0; i < n; i += OQ_W)                                                                 \
            vf_store_up_to(y + i, formula(vf_load_up_to(x + i, n - i)), n - i);                              \
    }

MAP(rows_exp, oq_exp_formula)
MAP(rows_log, oq_log_formula)
MAP(rows_tanh, oq_tanh_formula)
MAP(rows_erf, oq_erf_formula)
MAP(rows_sigmoid, oq_sigmoid_formula)

OQ_INLINE vf apply(const oq_rows_binary op, vf a, vf b) {
    switch (op) {
    case OQ_ROWS_ADD: return vf_add(a, b);
    case OQ_ROWS_SUB: return vf_sub(a, b);
    case OQ_ROWS_MUL: return vf_mul(a, b);
    case OQ_ROWS_DIV: return vf_div(a, b);
    case OQ_ROWS_MAX: a = vf_select(vf_lt(a, b), b, a); break;
    case OQ_ROWS_MIN: a = vf_select(vf_lt(b, a), b, a); break;
    }
    return vf_select(vf_nan(b), b, a); // a NaN on either side wins; equal zeros: the left one
}

OQ_INLINE void binary(const oq_rows_binary op, const float *a, size_t a_stride, const float *b,
                      size_t b_stride, float *y, size_t n) {
    const vf a_one = n ? vf_set1(*a) : vf_zero(), b_one = n ? vf_set1(*b) : vf_zero();
    for (size_t i = 0; i < n; i += OQ_W) {
        const vf left = a_stride ? vf_load_up_to(a + i, n - i) : a_one;
        const vf right = b_stride ? vf_load_up_to(b + i, n - i) : b_one;
        vf_store_up_to(y + i, apply(op, left, right), n - i);
    }
}

void OQ_FN(rows_binary_f32)(oq_rows_binary op, const float *a, size_t a_stride, const float *b,
                            size_t b_stride, float *y, size_t n) {
    switch (op) {
    case OQ_ROWS_ADD: binary(OQ_ROWS_ADD, a, a_stride, b, b_stride, y, n); break;
    case OQ_ROWS_SUB: binary(OQ_ROWS_SUB, a, a_stride, b, b_stride, y, n); break;
    case OQ_ROWS_MUL: binary(OQ_ROWS_MUL, a, a_stride, b, b_stride, y, n); break;
    case OQ_ROWS_DIV: binary(OQ_ROWS_DIV, a, a_stride, b, b_stride, y, n); break;
    case OQ_ROWS_MAX: binary(OQ_ROWS_MAX, a, a_stride, b, b_stride, y, n); break;
    case OQ_ROWS_MIN: binary(OQ_ROWS_MIN, a, a_stride, b, b_stride, y, n); break;
    }
}

void OQ_FN(rows_add_multiple)(const float *x, float factor, float *y, size_t n) {
    const vf f = vf_set1(factor);
    for (size_t i = 0; i < n; i += OQ_W)
        vf_store_up_to(y + i, vf_fma(vf_load_up_to(x + i, n - i), f, vf_load_up_to(y + i, n - i)), n - i);
}

void OQ_FN(rows_clamp)(const float *x, float low, float high, float *y, size_t n) {
    const vf l = vf_set1(low), h = vf_set1(high);
    for (size_t i = 0; i < n; i += OQ_W) {
        vf v = vf_load_up_to(x + i, n - i);
        v = vf_select(vf_lt(v, l), l, v);
        vf_store_up_to(y + i, vf_select(vf_lt(h, v), h, v), n - i);
    }
}
