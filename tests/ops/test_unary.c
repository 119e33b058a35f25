// Elementwise operators of one input: against double oracles, at special values, in every dtype.
#include "support/op_context.h"

#include <math.h>
#include <string.h>

static double relu(double x) { return x < 0 ? 0 : x; }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double hard_sigmoid(double x) { return fmax(0, fmin(1, (double)0.2f * x + 0.5)); }
static double hard_swish(double x) { return x * fmax(0, fmin(1, x / 6 + 0.5)); }
static double leaky(double x) { return x < 0 ? (double)0.01f * x : x; }
static double elu(double x) { return x > 0 ? x : expm1(x); }
static double selu(double x) {
    return 1.05070102214813232421875 * (x > 0 ? x : 1.67326319217681884765625 * expm1(x));
}
static double thresholded(double x) { return x > 1 ? x : 0; }
static double softplus(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))); }
static double softsign(double x) { return x / (1 + fabs(x)); }
static double mish(double x) { return x * tanh(softplus(x)); }
static double gelu(double x) { return 0.5 * x * (1 + erf(x / sqrt(2))); }
static double swish(double x) { return x * sigmoid(x); }
static double reciprocal(double x) { return 1 / x; }
static double shrink(double x) { return x < -0.5 || x > 0.5 ? x : 0; }
static double negate(double x) { return -x; }
static double sign(double x) { return (x > 0) - (x < 0); }

typedef struct unary_case {
    const char *name;
    double (*f)(double x);
    double low, high; // where it is tried
} unary_case;

static const unary_case cases[] = {{"Abs", fabs, -9, 9},
                                   {"Neg", negate, -9, 9},
                                   {"Sign", sign, -9, 9},
                                   {"Ceil", ceil, -9, 9},
                                   {"Floor", floor, -9, 9},
                                   {"Round", rint, -9, 9},
                                   {"Sqrt", sqrt, 0, 99},
                                   {"Reciprocal", reciprocal, 1, 9},
                                   {"Exp", exp, -10, 10},
                                   {"Log", log, 1e-3, 1e3},
                                   {"Sin", sin, -9, 9},
                                   {"Cos", cos, -9, 9},
                                   {"Tan", tan, -1.5, 1.5},
                                   {"Asin", asin, -1, 1},
                                   {"Acos", acos, -1, 1},
                                   {"Atan", atan, -9, 9},
                                   {"Sinh", sinh, -5, 5},
                                   {"Cosh", cosh, -5, 5},
                                   {"Tanh", tanh, -9, 9},
                                   {"Asinh", asinh, -9, 9},
                                   {"Acosh", acosh, 1, 9},
                                   {"Atanh", atanh, -1, 1},
                                   {"Erf", erf, -4, 4},
                                   {"Relu", relu, -9, 9},
                                   {"Sigmoid", sigmoid, -20, 20},
                                   {"HardSigmoid", hard_sigmoid, -5, 5},
                                   {"HardSwish", hard_swish, -5, 5},
                                   {"LeakyRelu", leaky, -9, 9},
                                   {"Elu", elu, -9, 9},
                                   {"Selu", selu, -9, 9},
                                   {"Celu", elu, -9, 9},
                                   {"ThresholdedRelu", thresholded, -3, 3},
                                   {"Softplus", softplus, -30, 30},
                                   {"Softsign", softsign, -9, 9},
                                   {"Mish", mish, -30, 30},
                                   {"Gelu", gelu, -6, 6},
                                   {"Swish", swish, -20, 20},
                                   {"Shrink", shrink, -3, 3}};
enum { CASES = sizeof cases / sizeof cases[0] };

// Spacing of the numbers of a dtype near 1.
static double epsilon(oq_dtype dtype) {
    return dtype == ONNXQ_DOUBLE    ? 0x1p-52
           : dtype == ONNXQ_FLOAT   ? 0x1p-23
           : dtype == ONNXQ_FLOAT16 ? 0x1p-10
                                    : 0x1p-7;
}

START_TEST(agrees_with_double) {
    static const oq_dtype dtypes[] = {ONNXQ_FLOAT, ONNXQ_DOUBLE, ONNXQ_FLOAT16, ONNXQ_BFLOAT16};
    const unary_case *c = &cases[_i];
    for (int d = 0; d < 4; d++) {
        test_op op;
        test_op_init(&op, c->name, 28);
        test_op_input(&op, test_op_random(&op, dtypes[d], OQ_SHAPE(7, 100), 11, c->low, c->high));
        test_op_run(&op, 1);
        const oq_tensor *x = &op.inputs[0].tensor, *y = test_op_output(&op, 0);
        ck_assert_int_eq(y->dtype, dtypes[d]);
        ck_assert(oq_shape_equal(&x->shape, &y->shape));
        for (int64_t i = 0; i < 700; i++) {
            const double in = oq_tensor_get_f64(x, i), should = c->f(in), is = oq_tensor_get_f64(y, i);
            // Relative to the greater of result and input: a function that passes through 0 far from 0 (sin)
            // or adds before it multiplies (gelu) cannot be nearer.
            const double scale = fmax(fabs(should), 0x1p-2 * fmin(1, fabs(in)));
            const double tolerance = 4 * epsilon(dtypes[d]) * scale;
            ck_assert_msg(fabs(is - should) <= tolerance || (isinf(is) && is == should),
                          "%s of %s: f(%.9g) is %.9g, should be %.9g", c->name,
                          oq_dtype_info(dtypes[d])->name, in, is, should);
        }
        test_op_release(&op);
    }
}
END_TEST

START_TEST(nan_stays_and_memory_is_reused) {
    const unary_case *c = &cases[_i];
    test_op op;
    test_op_init(&op, c->name, 28);
    double values[300];
    for (int i = 0; i < 300; i++) values[i] = i % 7 ? c->low + (c->high - c->low) * i / 300 : (double)NAN;
    test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(300), values));
    test_op_run(&op, 1);
    float kept[300];
    memcpy(kept, test_op_output(&op, 0)->data, sizeof kept);
    const bool drops = strcmp(c->name, "ThresholdedRelu") == 0 || strcmp(c->name, "Shrink") == 0;
    for (int i = 0; i < 300; i += 7) ck_assert_msg(isnan(kept[i]) || drops, "%s loses a NaN", c->name);
    op.dies[0] = true;
    test_op_run(&op, 1);
    ck_assert_ptr_eq(test_op_output(&op, 0)->data, op.inputs[0].tensor.data);
    ck_assert_mem_eq(test_op_output(&op, 0)->data, kept, sizeof kept);
    test_op_release(&op);
}
END_TEST

// One run over float32 values.
static void expect(const char *name, int64_t opset, int n, const double *x, const double *y,
                   double tolerance) {
    test_op op;
    test_op_init(&op, name, opset);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(n), x));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_FLOAT, OQ_SHAPE(n), y, tolerance);
    test_op_release(&op);
}

START_TEST(far_ends) {
    const double inf = (double)INFINITY;
    expect("Softplus", 22, 3, (double[]){-1000, 1000, -20}, (double[]){0, 1000, 2.0611536e-9}, 1e-15);
    expect("Mish", 22, 3, (double[]){-1000, 1000, 50}, (double[]){0, 1000, 50}, 1e-6);
    expect("Elu", 22, 4, (double[]){-1000, -inf, 1e-9, -1e-9}, (double[]){-1, -1, 1e-9f, -1e-9f}, 1e-16);
    expect("Sigmoid", 13, 4, (double[]){-inf, inf, -1000, 1000}, (double[]){0, 1, 0, 1}, 0);
    expect("Tanh", 13, 3, (double[]){-inf, inf, 0}, (double[]){-1, 1, 0}, 0);
    expect("Round", 22, 5, (double[]){0.5, 1.5, 2.5, -0.5, -1.5}, (double[]){0, 2, 2, 0, -2}, 0);
    expect("Sqrt", 13, 2, (double[]){-1, inf}, (double[]){(double)NAN, inf}, 0);
    expect("Log", 13, 3, (double[]){0, -1, inf}, (double[]){-inf, (double)NAN, inf}, 0);
}
END_TEST

START_TEST(whole_numbers) {
    test_op op;
    test_op_init(&op, "Abs", 13);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_INT8, OQ_SHAPE(4), (double[]){-128, -1, 0, 127}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_INT8, OQ_SHAPE(4), (double[]){-128, 1, 0, 127}, 0);
    test_op_release(&op);
    test_op_init(&op, "BitwiseNot", 18);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_UINT16, OQ_SHAPE(2), (double[]){0, 65535}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_UINT16, OQ_SHAPE(2), (double[]){65535, 0}, 0);
    test_op_release(&op);
    test_op_init(&op, "Not", 1);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_BOOL, OQ_SHAPE(2), (double[]){1, 0}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_BOOL, OQ_SHAPE(2), (double[]){0, 1}, 0);
    test_op_release(&op);
}
END_TEST

START_TEST(questions) {
    const double inf = (double)INFINITY, nan = (double)NAN;
    test_op op;
    for (int round = 0; round < 2; round++) {
        test_op_init(&op, "IsInf", 20);
        if (round) test_op_int(&op, "detect_negative", 0);
        test_op_input(&op, test_op_tensor(&op, round ? ONNXQ_FLOAT16 : ONNXQ_DOUBLE, OQ_SHAPE(4),
                                          (double[]){inf, -inf, nan, 1}));
        test_op_run(&op, 1);
        test_op_expect(&op, 0, ONNXQ_BOOL, OQ_SHAPE(4), (double[]){1, !round, 0, 0}, 0);
        test_op_release(&op);
    }
    test_op_init(&op, "IsNaN", 20);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_BFLOAT16, OQ_SHAPE(3), (double[]){inf, nan, 0}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_BOOL, OQ_SHAPE(3), (double[]){0, 1, 0}, 0);
    test_op_release(&op);
}
END_TEST

START_TEST(clip_in_all_its_forms) {
    test_op op;
    test_op_init(&op, "Clip", 6);
    test_op_float(&op, "max", 2);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(3), (double[]){-5, 1, 7}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_FLOAT, OQ_SHAPE(3), (double[]){-5, 1, 2}, 0);
    test_op_release(&op);
    test_op_init(&op, "Clip", 13); // without a lower bound
    test_op_input(&op, test_op_tensor(&op, ONNXQ_INT64, OQ_SHAPE(3), (double[]){-0x1p63, 1, 7}));
    test_op_skip(&op);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_INT64, (oq_shape){0}, (double[]){2}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_INT64, OQ_SHAPE(3), (double[]){-0x1p63, 1, 2}, 0);
    test_op_release(&op);
    test_op_init(&op, "Clip", 13); // the upper bound wins where they cross
    test_op_input(&op, test_op_tensor(&op, ONNXQ_UINT8, OQ_SHAPE(2), (double[]){0, 9}));
    test_op_input(&op, test_op_tensor(&op, ONNXQ_UINT8, (oq_shape){0}, (double[]){5}));
    test_op_input(&op, test_op_tensor(&op, ONNXQ_UINT8, (oq_shape){0}, (double[]){3}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_UINT8, OQ_SHAPE(2), (double[]){3, 3}, 0);
    test_op_release(&op);
    test_op_init(&op, "Clip", 13); // two bounds where one is due
    test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(2), 1, 0, 1));
    test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(2), 1, 0, 1));
    ck_assert_int_eq(test_op_try(&op, 1), ONNXQ_BAD_MODEL);
    test_op_release(&op);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ops/unary");
    TCase *tcase = tcase_create("unary");
    tcase_add_loop_test(tcase, agrees_with_double, 0, CASES);
    tcase_add_loop_test(tcase, nan_stays_and_memory_is_reused, 0, CASES);
    tcase_add_test(tcase, far_ends);
    tcase_add_test(tcase, whole_numbers);
    tcase_add_test(tcase, questions);
    tcase_add_test(tcase, clip_in_all_its_forms);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
