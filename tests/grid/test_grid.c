// Tests of grid: laws of scale, zero point, quantize, dequantize, requantize.
#include "grid/grid.h"
#include "support/support.h"

#include <float.h>
#include <math.h>

static oq_error err;

static oq_qparam asymmetric(const oq_grid *grid, double min, double max) {
    oq_qparam p = {0};
    oq_error_clear(&err);
    CK_OK(oq_grid_asymmetric(grid, min, max, "t", &p, &err), &err);
    return p;
}

static oq_qparam symmetric(const oq_grid *grid, double absmax) {
    oq_qparam p = {0};
    oq_error_clear(&err);
    CK_OK(oq_grid_symmetric(grid, absmax, "t", &p, &err), &err);
    return p;
}

static float random_float(uint32_t *state) {
    *state = *state * 1664525 + 1013904223;
    return (float)(*state >> 8) / (float)(1 << 24);
}

START_TEST(grids_of_all_widths) {
    for (int bits = 2; bits <= 16; bits++) {
        const oq_grid u = oq_grid_make(bits, false, true);
        const oq_grid s = oq_grid_make(bits, true, false);
        const oq_grid n = oq_grid_make(bits, true, true);
        ck_assert_int_eq(u.qmin, 0);
        ck_assert_int_eq(u.qmax, (1 << bits) - 1);
        ck_assert_int_eq(s.qmin, -(1 << (bits - 1)));
        ck_assert_int_eq(n.qmin, -s.qmax);
        ck_assert_int_eq(n.qmax, s.qmax);
        ck_assert(!u.narrow && !s.narrow && n.narrow);
        ck_assert_int_eq(oq_grid_carrier(&u, false), bits <= 8 ? ONNXQ_UINT8 : ONNXQ_UINT16);
        ck_assert_int_eq(oq_grid_carrier(&n, true), bits == 2   ? ONNXQ_INT2
                                                    : bits <= 4 ? ONNXQ_INT4
                                                    : bits <= 8 ? ONNXQ_INT8
                                                                : ONNXQ_INT16);
    }
}
END_TEST

// Zero is exact, the ends of the range are at most half a step off, q rises with x.
START_TEST(asymmetric_laws) {
    uint32_t state = (uint32_t)_i;
    const oq_grid grid = oq_grid_make(2 + _i % 15, _i % 2, false);
    for (int round = 0; round < 200; round++) {
        const double magnitude = ldexp(1, (int)(random_float(&state) * 200) - 100);
        const double min = (random_float(&state) - 0.7) * magnitude;
        const double max = min + random_float(&state) * magnitude;
        const oq_qparam p = asymmetric(&grid, min, max);
        ck_assert(p.scale > 0);
        ck_assert_int_ge(p.zero_point, grid.qmin);
        ck_assert_int_le(p.zero_point, grid.qmax);
        ck_assert(oq_dequantize_one(p, oq_quantize_one(&grid, p, 0)) == 0);
        const double ends[] = {min, max};
        for (int i = 0; i < 2; i++) {
            const float x = (float)ends[i];
            const float back = oq_dequantize_one(p, oq_quantize_one(&grid, p, x));
            ck_assert(fabs((double)back - (double)x) <= 1.0001 * (double)p.scale);
        }
        int32_t before = grid.qmin;
        for (int i = 0; i <= 20; i++) {
            const int32_t q = oq_quantize_one(&grid, p, (float)(min * 1.5 + (max - min) * i / 10));
            ck_assert_int_ge(q, before);
            before = q;
        }
    }
}
END_TEST

// Quantizing what was dequantized gives the same integer.
START_TEST(quantize_inverts_dequantize) {
    for (int bits = 2; bits <= 16; bits++) {
        const oq_grid grid = oq_grid_make(bits, bits % 2, false);
        const oq_qparam p = asymmetric(&grid, -1.37, 2.11);
        for (int32_t q = grid.qmin; q <= grid.qmax; q++)
            ck_assert_int_eq(oq_quantize_one(&grid, p, oq_dequantize_one(p, q)), q);
    }
}
END_TEST

START_TEST(ties_go_to_even_before_the_zero_point) {
    const oq_grid grid = oq_grid_make(8, false, false);
    const oq_qparam p = {.scale = 2, .zero_point = 1};
    // x / s = .5, 1.5, 2.5, -.5: rounded 0, 2, 2, 0; then plus 1
    ck_assert_int_eq(oq_quantize_one(&grid, p, 1), 1);
    ck_assert_int_eq(oq_quantize_one(&grid, p, 3), 3);
    ck_assert_int_eq(oq_quantize_one(&grid, p, 5), 3);
    ck_assert_int_eq(oq_quantize_one(&grid, p, -1), 1);
}
END_TEST

// A quotient, not a product with the reciprocal: 5 / 10 rounds to 0; 3.5 / 7 too, where 3.5 * (1/7) does not
// have to. Compared over many scales with the definition in double, which is exact enough to see ties.
START_TEST(quantize_divides) {
    const oq_grid grid = oq_grid_make(8, true, false);
    uint32_t state = 3;
    for (int i = 0; i < 20000; i++) {
        const float scale = 0.01F + random_float(&state);
        const float x = scale * ((float)(int)(random_float(&state) * 200 - 100) + 0.5F);
        const float steps = x / scale;
        const double rounded = nearbyint((double)steps);
        const oq_qparam p = {.scale = scale, .zero_point = 3};
        const double wanted = fmin(fmax(rounded + 3, -128), 127);
        ck_assert_int_eq(oq_quantize_one(&grid, p, x), (int32_t)wanted);
    }
}
END_TEST

START_TEST(extremes_saturate_and_nan_is_zero) {
    const oq_grid grid = oq_grid_make(8, true, false);
    const oq_qparam p = {.scale = 0.1F, .zero_point = 7};
    ck_assert_int_eq(oq_quantize_one(&grid, p, INFINITY), 127);
    ck_assert_int_eq(oq_quantize_one(&grid, p, -INFINITY), -128);
    ck_assert_int_eq(oq_quantize_one(&grid, p, FLT_MAX), 127);
    ck_assert_int_eq(oq_quantize_one(&grid, p, -FLT_MAX), -128);
    ck_assert_int_eq(oq_quantize_one(&grid, p, NAN), 7);
    const float x[] = {NAN, 1e30F, 0.25F, -0.25F, 0};
    int32_t q[5];
    oq_quantize(&grid, p, x, q, 5);
    for (int i = 0; i < 5; i++) ck_assert_int_eq(q[i], oq_quantize_one(&grid, p, x[i]));
    float back[5];
    oq_dequantize(p, q, back, 5);
    for (int i = 0; i < 5; i++) ck_assert(back[i] == oq_dequantize_one(p, q[i]));
}
END_TEST

START_TEST(odd_ranges) {
    const oq_grid u8 = oq_grid_make(8, false, false);
    const oq_grid s8 = oq_grid_make(8, true, false);
    oq_qparam p = asymmetric(&u8, 0, 0);
    ck_assert(p.scale == 1 && p.zero_point == 0);
    p = asymmetric(&s8, 0, 1e-40);
    ck_assert(p.scale == 1 && p.zero_point == 0);
    p = symmetric(&u8, 0);
    ck_assert(p.scale == 1 && p.zero_point == 128);
    p = asymmetric(&u8, 3, 3); // one value: widened to hold 0
    ck_assert(p.zero_point == 0 && oq_quantize_one(&u8, p, 3) == 255);
    p = asymmetric(&u8, -3, -3);
    ck_assert_int_eq(p.zero_point, 255);
    p = asymmetric(&s8, -(double)FLT_MAX, (double)FLT_MAX);
    ck_assert(isfinite(p.scale));
    const double bad[][2] = {{NAN, 1}, {-1, NAN}, {-INFINITY, 1}, {0, INFINITY}, {-1e300, 1}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        oq_error_clear(&err);
        ck_assert_int_eq(oq_grid_asymmetric(&u8, bad[i][0], bad[i][1], "layer_3", &p, &err), ONNXQ_BAD_DATA);
        ck_assert_str_eq(err.tensor, "layer_3");
    }
    ck_assert_int_eq(oq_grid_symmetric(&u8, NAN, "t", &p, NULL), ONNXQ_BAD_DATA);
    ck_assert_int_eq(oq_grid_symmetric(&u8, INFINITY, "t", &p, NULL), ONNXQ_BAD_DATA);
}
END_TEST

START_TEST(symmetric_scales) {
    for (int bits = 2; bits <= 16; bits++) {
        const int half = 1 << (bits - 1);
        const oq_grid narrow = oq_grid_make(bits, true, true);
        const oq_grid full = oq_grid_make(bits, true, false);
        const oq_grid plain = oq_grid_make(bits, false, false);
        ck_assert(symmetric(&narrow, 5).scale == (float)(5.0 / (half - 1)));
        ck_assert(symmetric(&full, 5).scale == (float)(5.0 / (half - 0.5)));
        ck_assert(symmetric(&plain, 5).scale == (float)(5.0 / (half - 1)));
        ck_assert_int_eq(symmetric(&narrow, 5).zero_point, 0);
        ck_assert_int_eq(symmetric(&plain, 5).zero_point, half);
        // The sign of x only turns the sign of q.
        const oq_qparam p = symmetric(&narrow, 5);
        for (float x = 0; x < 6; x += 0.01F)
            ck_assert_int_eq(oq_quantize_one(&narrow, p, x), -oq_quantize_one(&narrow, p, -x));
    }
}
END_TEST

START_TEST(requantize) {
    ck_assert_int_eq(oq_requantize_one(5, 0.5F, 0, -128, 127), 2); // 2.5
    ck_assert_int_eq(oq_requantize_one(7, 0.5F, 0, -128, 127), 4); // 3.5
    ck_assert_int_eq(oq_requantize_one(-5, 0.5F, 1, -128, 127), -1);
    ck_assert_int_eq(oq_requantize_one(INT32_MAX, 1, 3, 0, 255), 255);
    ck_assert_int_eq(oq_requantize_one(INT32_MIN, 1, 3, 0, 255), 0);
    ck_assert_int_eq(oq_requantize_one(16777217, 1.0F / 131072, 0, -128, 127), 127); // float(acc) = 2^24
    ck_assert_int_eq(oq_requantize_one(0, INFINITY, 9, 0, 255), 9);                  // NaN
}
END_TEST

int main(void) {
    Suite *suite = suite_create("grid");
    TCase *tcase = tcase_create("grid");
    tcase_add_test(tcase, grids_of_all_widths);
    tcase_add_loop_test(tcase, asymmetric_laws, 0, 30);
    tcase_add_test(tcase, quantize_inverts_dequantize);
    tcase_add_test(tcase, ties_go_to_even_before_the_zero_point);
    tcase_add_test(tcase, quantize_divides);
    tcase_add_test(tcase, extremes_saturate_and_nan_is_zero);
    tcase_add_test(tcase, odd_ranges);
    tcase_add_test(tcase, symmetric_scales);
    tcase_add_test(tcase, requantize);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
