// Conversions: between all pairs of types, at the ends of their ranges, with and without saturation, as text.
#include "support/op_context.h"

#include <math.h>
#include <string.h>

static void begin(test_op *op, oq_dtype to) {
    test_op_init(op, "Cast", 28);
    test_op_int(op, "to", to);
}

static bool is_number(oq_dtype dtype) {
    return dtype != ONNXQ_STRING && dtype != ONNXQ_COMPLEX64 && dtype != ONNXQ_COMPLEX128;
}

// 0, 1 and 2 halves are numbers in nearly every type, so every pair must carry them.
START_TEST(small_numbers_survive_every_pair) {
    for (int from = 1; from < ONNXQ_DTYPE_COUNT; from++)
        for (int to = 1; to < ONNXQ_DTYPE_COUNT; to++) {
            if (!is_number((oq_dtype)from) || !is_number((oq_dtype)to)) continue;
            test_op op;
            const double ones[300] = {1, 1, 1};
            begin(&op, (oq_dtype)to);
            oq_tensor x = test_op_tensor(&op, (oq_dtype)from, OQ_SHAPE(300), ones);
            test_op_input(&op, x);
            test_op_run(&op, 1);
            const oq_tensor *y = test_op_output(&op, 0);
            for (int64_t i = 0; i < 300; i++) {
                const double in = oq_tensor_get_f64(&x, i), out = oq_tensor_get_f64(y, i);
                const bool whole = to != ONNXQ_FLOAT8E8M0 && from != ONNXQ_FLOAT8E8M0; // these have no 0
                if (i < 3 || whole)
                    ck_assert_msg(in == out, "%s to %s: %g became %g", onnxq_dtype_name((onnxq_dtype)from),
                                  onnxq_dtype_name((onnxq_dtype)to), in, out);
            }
            test_op_release(&op);
        }
}
END_TEST

static void expect(oq_dtype from, oq_dtype to, int n, const double *x, const double *y) {
    test_op op;
    begin(&op, to);
    test_op_input(&op, test_op_tensor(&op, from, OQ_SHAPE(n), x));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, to, OQ_SHAPE(n), y, 0);
    test_op_release(&op);
}

START_TEST(integers_keep_their_low_bits) {
    expect(ONNXQ_INT16, ONNXQ_INT8, 3, (double[]){200, -129, 127}, (double[]){-56, 127, 127});
    expect(ONNXQ_INT32, ONNXQ_UINT8, 3, (double[]){-1, 256, 300}, (double[]){255, 0, 44});
    expect(ONNXQ_INT32, ONNXQ_INT4, 3, (double[]){17, -9, 7}, (double[]){1, 7, 7});
    expect(ONNXQ_INT8, ONNXQ_UINT2, 3, (double[]){-1, 4, 3}, (double[]){3, 0, 3});
    expect(ONNXQ_INT8, ONNXQ_BOOL, 3, (double[]){-2, 0, 3}, (double[]){1, 0, 1});
    expect(ONNXQ_BOOL, ONNXQ_FLOAT16, 2, (double[]){1, 0}, (double[]){1, 0});
}
END_TEST

START_TEST(floats_are_cut_towards_zero) {
    const double inf = (double)INFINITY, nan = (double)NAN;
    expect(ONNXQ_FLOAT, ONNXQ_INT32, 4, (double[]){1.9, -1.9, 0.5, -0.5}, (double[]){1, -1, 0, 0});
    expect(ONNXQ_DOUBLE, ONNXQ_INT64, 3, (double[]){inf, -inf, nan}, (double[]){0x1p63, -0x1p63, 0});
    expect(ONNXQ_FLOAT, ONNXQ_UINT64, 2, (double[]){0x1p63, -1}, (double[]){0x1p63, 0x1p64});
    expect(ONNXQ_FLOAT, ONNXQ_BOOL, 4, (double[]){0.1, 0, -0.0, nan}, (double[]){1, 0, 0, 1});
}
END_TEST

// One rounding: the double just above the middle of two halves goes up, though as a float it is the middle.
START_TEST(one_rounding_only) {
    expect(ONNXQ_DOUBLE, ONNXQ_FLOAT16, 3, (double[]){1 + 0x1p-11 + 0x1p-40, 1 + 0x1p-11, 65520},
           (double[]){1 + 0x1p-10, 1, (double)INFINITY});
    expect(ONNXQ_DOUBLE, ONNXQ_BFLOAT16, 1, (double[]){1 + 0x1p-8 + 0x1p-40}, (double[]){1 + 0x1p-7});
    test_op op;
    const int64_t big = (INT64_C(1) << 53) + (INT64_C(1) << 29) + 1; // above the middle, not so as a double
    begin(&op, ONNXQ_FLOAT);
    test_op_input(&op, test_op_tensor_raw(&op, ONNXQ_INT64, OQ_SHAPE(1), &big));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_FLOAT, OQ_SHAPE(1), (double[]){0x1p53 + 0x1p30}, 0);
    test_op_release(&op);
}
END_TEST

START_TEST(saturation_of_small_floats) {
    const double inf = (double)INFINITY, nan = (double)NAN;
    static const oq_dtype kinds[] = {ONNXQ_FLOAT8E4M3FN, ONNXQ_FLOAT8E4M3FNUZ, ONNXQ_FLOAT8E5M2,
                                     ONNXQ_FLOAT8E5M2FNUZ};
    static const double greatest[] = {448, 240, 57344, 57344};
    for (int k = 0; k < 4; k++)
        for (int64_t saturate = 0; saturate < 2; saturate++)
            for (int wide = 0; wide < 2; wide++) {
                test_op op;
                begin(&op, kinds[k]);
                test_op_int(&op, "saturate", saturate);
                test_op_input(&op, test_op_tensor(&op, wide ? ONNXQ_DOUBLE : ONNXQ_FLOAT, OQ_SHAPE(5),
                                                  (double[]){1e6, -inf, nan, greatest[k], 0}));
                test_op_run(&op, 1);
                const double over = saturate ? greatest[k] : kinds[k] == ONNXQ_FLOAT8E5M2 ? inf : nan;
                test_op_expect(&op, 0, kinds[k], OQ_SHAPE(5), (double[]){over, -over, nan, greatest[k], 0},
                               0);
                test_op_release(&op);
            }
    expect(ONNXQ_FLOAT, ONNXQ_FLOAT4E2M1, 4, (double[]){100, -5, 0.25, 2.5}, (double[]){6, -4, 0, 2});
}
END_TEST

START_TEST(powers_of_two_round_as_asked) {
    static const char *const modes[] = {"up", "down", "nearest"};
    static const double rounded[][3] = {{4, 2, 4}, {2, 1, 2}, {4, 1, 2}}; // of 3, 1.25, 2.5
    for (int k = 0; k < 3; k++) {
        test_op op;
        begin(&op, ONNXQ_FLOAT8E8M0);
        test_op_string(&op, "round_mode", modes[k]);
        test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(3), (double[]){3, 1.25, 2.5}));
        test_op_run(&op, 1);
        test_op_expect(&op, 0, ONNXQ_FLOAT8E8M0, OQ_SHAPE(3), rounded[k], 0);
        test_op_release(&op);
    }
}
END_TEST

START_TEST(numbers_as_text) {
    static const char *const texts[] = {"1.5", "-INF", " 1e-5 ", "nan", "1E8", "+inf"};
    const double inf = (double)INFINITY, values[] = {1.5, -inf, (double)1e-5f, (double)NAN, 1e8, inf};
    test_op op;
    begin(&op, ONNXQ_FLOAT);
    test_op_input(&op, test_op_tensor_strings(&op, OQ_SHAPE(6), texts));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_FLOAT, OQ_SHAPE(6), values, 0);
    test_op_release(&op);
    begin(&op, ONNXQ_INT64);
    test_op_input(&op,
                  test_op_tensor_strings(&op, OQ_SHAPE(2), (const char *[]){"9007199254740993", "100.5"}));
    test_op_run(&op, 1);
    ck_assert_int_eq(oq_tensor_get_i64(test_op_output(&op, 0), 0), INT64_C(9007199254740993));
    ck_assert_int_eq(oq_tensor_get_i64(test_op_output(&op, 0), 1), 100);
    test_op_release(&op);
    static const char *const wrong[] = {"Hello", "", "1 2", "0x10", "1e"};
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        begin(&op, ONNXQ_FLOAT);
        test_op_input(&op, test_op_tensor_strings(&op, OQ_SHAPE(1), &wrong[k]));
        ck_assert_int_eq(test_op_try(&op, 1), ONNXQ_BAD_DATA);
        test_op_release(&op);
    }
}
END_TEST

static void expect_text(oq_dtype from, double x, const char *should) {
    test_op op;
    size_t length;
    begin(&op, ONNXQ_STRING);
    test_op_input(&op, test_op_tensor(&op, from, OQ_SHAPE(1), &x));
    test_op_run(&op, 1);
    const char *text = oq_tensor_string(test_op_output(&op, 0), 0, &length);
    ck_assert_msg(length == strlen(should) && !memcmp(text, should, length), "%.17g became '%.*s'", x,
                  (int)length, text);
    test_op_release(&op);
}

START_TEST(text_of_numbers) {
    expect_text(ONNXQ_FLOAT, (double)0.1f, "0.1");
    expect_text(ONNXQ_DOUBLE, 0.1 + 0.2, "0.30000000000000004");
    expect_text(ONNXQ_FLOAT16, 0.0999755859375, "0.1");
    expect_text(ONNXQ_FLOAT, 3, "3.0");
    expect_text(ONNXQ_DOUBLE, -1e300, "-1e+300");
    expect_text(ONNXQ_DOUBLE, 0, "0.0");
    expect_text(ONNXQ_INT8, -128, "-128");
    expect_text(ONNXQ_BOOL, 1, "True");
}
END_TEST

START_TEST(shortest_text_reads_back) {
    test_op op, back;
    begin(&op, ONNXQ_STRING);
    test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(500), 3, -1e-3, 1e9));
    test_op_run(&op, 1);
    begin(&back, ONNXQ_FLOAT);
    test_op_input(&back, oq_tensor_retain(test_op_output(&op, 0)));
    test_op_run(&back, 1);
    ck_assert(oq_tensor_equal(&op.inputs[0].tensor, test_op_output(&back, 0)));
    test_op_release(&back);
    test_op_release(&op);
}
END_TEST

START_TEST(bits_are_kept) {
    test_op op;
    test_op_init(&op, "BitCast", 26);
    test_op_int(&op, "to", ONNXQ_INT32);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(2), (double[]){1, -0.0}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_INT32, OQ_SHAPE(2), (double[]){0x3F800000, -0x1p31}, 0);
    test_op_release(&op);
    test_op_init(&op, "BitCast", 26);
    test_op_int(&op, "to", ONNXQ_UINT4);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_INT4, OQ_SHAPE(3), (double[]){-1, 7, -8}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_UINT4, OQ_SHAPE(3), (double[]){15, 7, 8}, 0);
    test_op_release(&op);
    test_op_init(&op, "BitCast", 26);
    test_op_int(&op, "to", ONNXQ_INT64);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(1), (double[]){1}));
    ck_assert_int_eq(test_op_try(&op, 1), ONNXQ_BAD_MODEL);
    test_op_release(&op);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ops/cast");
    TCase *tcase = tcase_create("cast");
    tcase_add_test(tcase, small_numbers_survive_every_pair);
    tcase_add_test(tcase, integers_keep_their_low_bits);
    tcase_add_test(tcase, floats_are_cut_towards_zero);
    tcase_add_test(tcase, one_rounding_only);
    tcase_add_test(tcase, saturation_of_small_floats);
    tcase_add_test(tcase, powers_of_two_round_as_asked);
    tcase_add_test(tcase, numbers_as_text);
    tcase_add_test(tcase, text_of_numbers);
    tcase_add_test(tcase, shortest_text_reads_back);
    tcase_add_test(tcase, bits_are_kept);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
