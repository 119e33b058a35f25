// Row functions: the same bits from every instruction set, vector equal to scalar, reductions in sixteen
// partial sums, exact quantization with its ties and saturation.
#include "kernels/rows.h"

#include "base/math.h"
#include "kernels/tables.h"

#define LENGTH 1003

static const float specials[] = {0.0f,      -0.0f,      1.0f,  -1.0f,   INFINITY, -INFINITY, NAN,
                                 0x1p-149f, -0x1p-130f, 88.7f, -103.5f, 0.625f,   0.9375f,   -4.0f,
                                 1e30f,     -1e30f,     0.5f,  1.5f,    2.5f,     -0.5f};

// Values of all sizes, the special ones among them.
static void mixed_values(float *x, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = test_random();
        memcpy(&x[i], &bits, sizeof bits);
        if (i % 3) x[i] = test_random_float() * 10.0f;
        if (i % 11 == 0) x[i] = specials[test_random() % (sizeof specials / sizeof *specials)];
    }
}

static bool same(float a, float b) { return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b)); }

START_TEST(vector_functions_equal_the_scalar_ones) {
    static void (*const vector[])(const float *, float *, size_t) = {oq_rows_exp, oq_rows_log, oq_rows_tanh,
                                                                     oq_rows_erf, oq_rows_sigmoid};
    static float (*const scalar[])(float) = {oq_expf, oq_logf, oq_tanhf, oq_erff, oq_sigmoidf};
    float x[LENGTH];
    mixed_values(x, LENGTH);
    const oq_kernel_table *tables[4];
    for (size_t t = 0, count = test_tables(tables); t < count; t++)
        for (size_t n = 0; n <= LENGTH; n += n < 40 ? 1 : LENGTH - 40) {
            oq_kernels_use(tables[t]);
            float *y = test_block(n * sizeof(float));
            vector[_i](x, y, n);
            size_t wrong = 0;
            for (size_t i = 0; i < n; i++) wrong += !same(y[i], scalar[_i](x[i]));
            ck_assert_msg(wrong == 0, "function %d, table %zu, %zu of %zu differ", _i, t, wrong, n);
            test_free(y);
        }
}
END_TEST

static float binary(oq_rows_binary op, float a, float b) {
    switch (op) {
    case OQ_ROWS_ADD: return a + b;
    case OQ_ROWS_SUB: return a - b;
    case OQ_ROWS_MUL: return a * b;
    case OQ_ROWS_DIV: return a / b;
    case OQ_ROWS_MAX: return isnan(b) || a < b ? b : a;
    case OQ_ROWS_MIN: return isnan(b) || b < a ? b : a;
    }
    return 0.0f;
}

START_TEST(arithmetic_with_one_or_many) {
    float a[203], b[203], y[203];
    mixed_values(a, 203), mixed_values(b, 203);
    const oq_kernel_table *tables[4];
    for (size_t t = 0, count = test_tables(tables); t < count; t++)
        for (int op = OQ_ROWS_ADD; op <= OQ_ROWS_MIN; op++)
            for (size_t strides = 0; strides < 4; strides++) {
                const size_t sa = strides & 1, sb = strides >> 1;
                oq_kernels_use(tables[t]);
                oq_rows_binary_f32((oq_rows_binary)op, a, sa, b, sb, y, 203);
                size_t wrong = 0;
                for (size_t i = 0; i < 203; i++)
                    wrong += !same(y[i], binary((oq_rows_binary)op, a[i * sa], b[i * sb]));
                ck_assert_msg(wrong == 0, "operation %d, table %zu, strides %zu %zu", op, t, sa, sb);
            }
}
END_TEST

START_TEST(clamping_keeps_nan_and_the_sign_of_zero) {
    const float x[] = {NAN, -0.0f, 0.0f, -1.0f, 7.0f, INFINITY, -INFINITY, 3.0f, -0.0f};
    const oq_kernel_table *tables[4];
    for (size_t t = 0, count = test_tables(tables); t < count; t++) {
        float y[9];
        oq_kernels_use(tables[t]);
        oq_rows_clamp(x, 0.0f, 6.0f, y, 9);
        ck_assert(isnan(y[0]) && signbit(y[1]) && !signbit(y[2]) && y[3] == 0.0f && y[4] == 6.0f);
        ck_assert(y[5] == 6.0f && y[6] == 0.0f && y[7] == 3.0f && signbit(y[8]));
    }
}
END_TEST

START_TEST(multiples_are_added_with_one_rounding) {
    float x[LENGTH], y[LENGTH], want[LENGTH];
    const oq_kernel_table *tables[4];
    for (size_t t = 0, count = test_tables(tables); t < count; t++)
        for (size_t n = 0; n <= 70; n++) {
            test_random_floats(x, LENGTH);
            for (size_t i = 0; i < LENGTH; i++) y[i] = x[LENGTH - 1 - i];
            for (size_t i = 0; i < LENGTH; i++) want[i] = i < n ? fmaf(x[i], 0.3f, y[i]) : y[i];
            oq_kernels_use(tables[t]);
            oq_rows_add_multiple(x, 0.3f, y, n);
            ck_assert(memcmp(y, want, sizeof y) == 0);
        }
}
END_TEST

static float tree(float s[16]) {
    for (int step = 8; step > 0; step /= 2)
        for (int i = 0; i < step; i++) s[i] += s[i + step];
    return s[0];
}

START_TEST(reductions_use_sixteen_partial_sums) {
    float x[LENGTH];
    const oq_kernel_table *tables[4];
    const size_t count = test_tables(tables);
    for (size_t n = 0; n <= LENGTH; n += n < 70 ? 1 : LENGTH - 70) {
        test_random_floats(x, LENGTH);
        float sum[16] = {0}, squares[16] = {0}, max = -INFINITY;
        for (size_t i = 0; i < n; i++) {
            sum[i % 16] += x[i];
            squares[i % 16] = fmaf(x[i] - 0.25f, x[i] - 0.25f, squares[i % 16]);
            max = x[i] > max ? x[i] : max;
        }
        const float want_sum = tree(sum), want_squares = tree(squares);
        for (size_t t = 0; t < count; t++) {
            oq_kernels_use(tables[t]);
            ck_assert(same(oq_rows_sum(x, n), want_sum));
            ck_assert(same(oq_rows_sum_squares(x, 0.25f, n), want_squares));
            ck_assert(same(oq_rows_max(x, n), max));
        }
        if (n == 0) continue;
        x[test_random() % n] = NAN;
        for (size_t t = 0; t < count; t++) {
            oq_kernels_use(tables[t]);
            ck_assert(isnan(oq_rows_max(x, n)));
        }
    }
}
END_TEST

START_TEST(statistics_count_everything) {
    float x[LENGTH];
    const oq_kernel_table *tables[4];
    const size_t count = test_tables(tables);
    for (size_t n = 0; n <= LENGTH; n += n < 40 ? 1 : LENGTH - 40) {
        mixed_values(x, LENGTH);
        oq_rows_stats want = {.min = INFINITY, .max = -INFINITY}, first = {0};
        double size = 0.0;
        for (size_t i = 0; i < n; i++) {
            want.nan += isnan(x[i]) != 0, want.infinite += isinf(x[i]) != 0, want.zero += x[i] == 0.0f;
            if (!isfinite(x[i])) continue;
            want.min = x[i] < want.min ? x[i] : want.min, want.max = x[i] > want.max ? x[i] : want.max;
            want.sum += (double)x[i], want.sum_squares += (double)x[i] * (double)x[i],
                size += fabs((double)x[i]);
        }
        for (size_t t = 0; t < count; t++) {
            oq_rows_stats got;
            oq_kernels_use(tables[t]);
            oq_rows_statistics(x, n, &got);
            ck_assert(got.min == want.min && got.max == want.max);
            ck_assert(got.nan == want.nan && got.infinite == want.infinite && got.zero == want.zero);
            ck_assert(fabs(got.sum - want.sum) <= 1e-12 * size);
            ck_assert(fabs(got.sum_squares - want.sum_squares) <= 1e-12 * want.sum_squares);
            if (t == 0) first = got;
            ck_assert(got.sum == first.sum && got.sum_squares == first.sum_squares);
        }
    }
}
END_TEST

// Numbers below zero are below bin 0, also those that a width makes too small for float32.
START_TEST(tiny_negatives_are_not_in_bin_0) {
    const float x[] = {-0x1p-149F, -0x1p-140F, 0x1p-149F, -0.0F, 0, -1, 1};
    const uint64_t want[] = {3, 4};
    const oq_kernel_table *tables[4];
    for (size_t t = 0, count = test_tables(tables); t < count; t++) {
        oq_kernels_use(tables[t]);
        for (int exponent = 1; exponent <= 100; exponent++) {
            uint64_t got[2] = {0};
            oq_rows_histogram(x, sizeof x / sizeof *x, -ldexpf(1, exponent), ldexpf(1, -exponent), got, 2);
            CK_SAME_BITS(got, want, sizeof want, "table %zu, width 2^%d", t, exponent);
        }
    }
}
END_TEST

START_TEST(histogram_counts_each_value_once) {
    const size_t bins[] = {2048, 16, 1, 5000}, bin_count = bins[_i];
    const size_t n = 20000;
    float *x = test_block(n * sizeof(float));
    uint64_t *want = test_block(bin_count * 8), *got = test_block(bin_count * 8);
    const float width = 0x1p-8f, origin = -0.5f;
    memset(want, 0, bin_count * 8);
    want[0] = 5; // counts are added to
    for (size_t i = 0; i < n; i++) {
        x[i] = test_random_float() * 2.0f;
        if (i % 4 == 0) x[i] = (float)((int)(test_random() % 3000) - 200) * width; // edges of bins
        if (i % 101 == 0) x[i] = specials[test_random() % (sizeof specials / sizeof *specials)];
        const double bin = floor((double)x[i] / (double)width) - (double)(origin / width);
        if (bin >= 0.0 && bin < (double)bin_count) want[(size_t)bin]++;
    }
    const oq_kernel_table *tables[4];
    for (size_t t = 0, count = test_tables(tables); t < count; t++) {
        memset(got, 0, bin_count * 8);
        got[0] = 5;
        oq_kernels_use(tables[t]);
        oq_rows_histogram(x, n / 2 + 7, origin, 1.0f / width, got, bin_count);
        oq_rows_histogram(x + n / 2 + 7, n - n / 2 - 7, origin, 1.0f / width, got, bin_count);
        CK_SAME_BITS(got, want, bin_count * 8, "table %zu, %zu bins", t, bin_count);
    }
    test_free(x), test_free(want), test_free(got);
}
END_TEST

static int32_t quantized(float x, float scale, int32_t zero, bool is_signed) {
    const double low = is_signed ? -128 : 0, high = low + 255;
    if (isnan(x / scale)) return zero;
    const double q = nearbyint((double)(x / scale)) + zero; // the default mode is half to even
    return (int32_t)(q < low ? low : q > high ? high : q);
}

START_TEST(quantization_divides_rounds_adds_saturates) {
    float x[LENGTH], back[LENGTH];
    uint8_t q[LENGTH];
    mixed_values(x, LENGTH);
    const float scales[] = {0.5f, 0.1f, 1.0f, 0.0078125f, 3e-39f, 1e30f};
    const oq_kernel_table *tables[4];
    for (size_t t = 0, count = test_tables(tables); t < count; t++)
        for (int round = 0; round < 12; round++) {
            const bool is_signed = round & 1;
            const float scale = scales[round / 2];
            const int32_t zero = (int32_t)(test_random() % 256) - (is_signed ? 128 : 0);
            const size_t n = round % 3 ? test_random_size(0, 100) : LENGTH;
            for (size_t i = 0; i < n; i += 5)
                x[i] = ((float)(int)(test_random() % 700) - 350.5f) * scale; // ties
            oq_kernels_use(tables[t]);
            oq_rows_quantize_8(x, scale, zero, is_signed, q, n);
            oq_rows_dequantize_8(q, scale, zero, is_signed, back, n);
            size_t wrong = 0;
            for (size_t i = 0; i < n; i++) {
                const int32_t want = quantized(x[i], scale, zero, is_signed),
                              got = test_byte(q, i, is_signed);
                wrong += got != want || back[i] != (float)(got - zero) * scale;
            }
            ck_assert_msg(wrong == 0, "table %zu, round %d: %zu wrong", t, round, wrong);
        }
}
END_TEST

START_TEST(ties_go_to_even_before_the_zero_point) {
    const float x[] = {0.5f, 1.5f, -0.5f, -1.5f, 2.5f, NAN, INFINITY, -INFINITY};
    const int32_t sums[] = {1, 3, -1, -3, 5, INT32_MAX, INT32_MIN, 0};
    const float half = 0.5f;
    const oq_kernel_table *tables[4];
    for (size_t t = 0, count = test_tables(tables); t < count; t++) {
        int8_t q[8];
        const int8_t want[] = {1, 3, 1, -1, 3, 1, 127, -128}, requantized[] = {1, 3, 1, -1, 3, 127, -128, 1};
        oq_kernels_use(tables[t]);
        oq_rows_quantize_8(x, 1.0f, 1, true, q, 8);
        CK_SAME_BITS(q, want, 8, "quantize, table %zu", t);
        oq_rows_requantize_8(sums, &half, 0, 1, true, q, 8);
        CK_SAME_BITS(q, requantized, 8, "requantize, table %zu", t);
    }
}
END_TEST

START_TEST(requantization_is_float32_arithmetic) {
    int32_t sums[LENGTH];
    float multipliers[LENGTH];
    uint8_t q[LENGTH];
    for (size_t i = 0; i < LENGTH; i++) {
        sums[i] = (int32_t)(test_random() >> test_random() % 31) * (i & 1 ? 1 : -1);
        multipliers[i] = fabsf(test_random_float()) * (i % 7 ? 0.01f : 1.0f);
    }
    const oq_kernel_table *tables[4];
    for (size_t t = 0, count = test_tables(tables); t < count; t++)
        for (size_t stride = 0; stride < 2; stride++)
            for (size_t n = 0; n <= LENGTH; n += n < 70 ? 23 : LENGTH - 92) {
                oq_kernels_use(tables[t]);
                oq_rows_requantize_8(sums, multipliers, stride, 100, false, q, n);
                size_t wrong = 0;
                for (size_t i = 0; i < n; i++) {
                    const float m = multipliers[i * stride], y = (float)sums[i] * m;
                    const double v = nearbyint((double)y) + 100.0;
                    wrong += q[i] != (uint8_t)(v < 0.0 ? 0.0 : v > 255.0 ? 255.0 : v);
                }
                ck_assert_msg(wrong == 0, "table %zu, %zu numbers: %zu wrong", t, n, wrong);
            }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("kernels/rows");
    TCase *tcase = tcase_create("rows");
    tcase_add_loop_test(tcase, vector_functions_equal_the_scalar_ones, 0, 5);
    tcase_add_test(tcase, arithmetic_with_one_or_many);
    tcase_add_test(tcase, clamping_keeps_nan_and_the_sign_of_zero);
    tcase_add_test(tcase, multiples_are_added_with_one_rounding);
    tcase_add_test(tcase, reductions_use_sixteen_partial_sums);
    tcase_add_test(tcase, statistics_count_everything);
    tcase_add_test(tcase, tiny_negatives_are_not_in_bin_0);
    tcase_add_loop_test(tcase, histogram_counts_each_value_once, 0, 4);
    tcase_add_test(tcase, quantization_divides_rounds_adds_saturates);
    tcase_add_test(tcase, ties_go_to_even_before_the_zero_point);
    tcase_add_test(tcase, requantization_is_float32_arithmetic);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
