// Random numbers, losses, windows and determinants: known values, repeatability, moments, errors.
#include "support/op_context.h"

#include <math.h>
#include <string.h>

static void begin(test_op *op, const char *name, float seed, int64_t count) {
    test_op_init(op, name, 22);
    test_op_int(op, "dtype", ONNXQ_DOUBLE);
    test_op_float(op, "seed", seed);
    test_op_ints(op, "shape", &count, 1);
}

// The first numbers of numpy.random.RandomState(42).
START_TEST(numbers_of_the_published_generator) {
    test_op op;
    begin(&op, "RandomUniform", 42, 3);
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_DOUBLE, OQ_SHAPE(3),
                   (double[]){0.3745401188473625, 0.9507143064099162, 0.7319939418114051}, 0);
    test_op_release(&op);
    begin(&op, "RandomNormal", 42, 3);
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_DOUBLE, OQ_SHAPE(3),
                   (double[]){0.4967141530112327, -0.13826430117118466, 0.6476885381006925}, 1e-15);
    test_op_release(&op);
}
END_TEST

START_TEST(moments_and_repeats) {
    static const char *const names[] = {"RandomUniform", "RandomNormal"};
    for (int k = 0; k < 2; k++) {
        test_op op, again;
        test_op *ops[] = {&op, &again};
        for (int i = 0; i < 2; i++) {
            test_op_init(ops[i], names[k], 22);
            test_op_ints(ops[i], "shape", (const int64_t[]){100, 200}, 2);
            test_op_float(ops[i], k ? "mean" : "low", 3);
            test_op_float(ops[i], k ? "scale" : "high", k ? 2 : 5);
            test_op_run(ops[i], 1);
        }
        ck_assert(oq_tensor_equal(test_op_output(&op, 0), test_op_output(&again, 0)));
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < 20000; i++) {
            const double x = oq_tensor_get_f64(test_op_output(&op, 0), i);
            ck_assert(k || (x >= 3 && x <= 5));
            sum += x;
            squares += x * x;
        }
        const double mean = sum / 20000, variance = squares / 20000 - mean * mean;
        ck_assert_double_eq_tol(mean, (k ? 3 : 4), 0.05);
        ck_assert_double_eq_tol(variance, (k ? 4 : 1.0 / 3), (k ? 0.15 : 0.01));
        test_op_release(&op);
        test_op_release(&again);
    }
}
END_TEST

START_TEST(draws_follow_their_probabilities) {
    test_op op;
    test_op_init(&op, "Bernoulli", 22);
    test_op_int(&op, "dtype", ONNXQ_INT32);
    test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(4000), 3, 0.25, 0.25));
    test_op_run(&op, 1);
    int64_t ones = 0;
    for (int64_t i = 0; i < 4000; i++) ones += oq_tensor_get_i64(test_op_output(&op, 0), i);
    ck_assert_int_gt(ones, 900);
    ck_assert_int_lt(ones, 1100);
    test_op_release(&op);
    test_op_init(&op, "Multinomial", 22);
    test_op_int(&op, "sample_size", 4000);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_DOUBLE, OQ_SHAPE(1, 3), (double[]){0, log(3), -1e9}));
    test_op_run(&op, 1);
    int64_t counts[3] = {0};
    for (int64_t i = 0; i < 4000; i++) counts[oq_tensor_get_i64(test_op_output(&op, 0), i)]++;
    ck_assert_int_gt(counts[1], 2900);
    ck_assert_int_lt(counts[1], 3100);
    ck_assert_int_eq(counts[2], 0);
    test_op_release(&op);
}
END_TEST

// In training the kept elements are scaled so that the mean stays; at rest it is the input itself.
START_TEST(dropout) {
    test_op op;
    double ones[2000];
    for (int i = 0; i < 2000; i++) ones[i] = 1;
    for (int training = 0; training < 2; training++) {
        test_op_init(&op, "Dropout", 13);
        test_op_int(&op, "seed", 1);
        test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(2000), ones));
        test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, (oq_shape){0}, (double[]){0.75}));
        test_op_input(&op, test_op_tensor(&op, ONNXQ_BOOL, (oq_shape){0}, (double[]){training}));
        test_op_run(&op, 2);
        double sum = 0;
        for (int64_t i = 0; i < 2000; i++) {
            const double y = oq_tensor_get_f64(test_op_output(&op, 0), i);
            ck_assert(y == (training ? 4 : 1) || (training && y == 0));
            ck_assert_int_eq(oq_tensor_get_i64(test_op_output(&op, 1), i), y != 0);
            sum += y;
        }
        ck_assert_double_eq_tol(sum, 2000, (training ? 300 : 1e-9));
        test_op_release(&op);
    }
    test_op_init(&op, "Dropout", 13);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(1), ones));
    test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, (oq_shape){0}, (double[]){1.5}));
    test_op_input(&op, test_op_tensor(&op, ONNXQ_BOOL, (oq_shape){0}, ones));
    ck_assert_int_eq(test_op_try(&op, 1), ONNXQ_BAD_MODEL);
    test_op_release(&op);
}
END_TEST

START_TEST(cross_entropy_is_the_loss_of_log_softmax) {
    static const char *const reductions[] = {"none", "sum", "mean"};
    for (int k = 0; k < 3; k++) {
        test_op whole, soft, loss;
        test_op *ops[] = {&whole, &loss};
        test_op_init(&soft, "LogSoftmax", 13);
        test_op_int(&soft, "axis", 1);
        test_op_input(&soft, test_op_random(&soft, ONNXQ_FLOAT, OQ_SHAPE(3, 5, 2), 8, -4, 4));
        test_op_run(&soft, 1);
        for (int i = 0; i < 2; i++) {
            test_op_init(ops[i], i ? "NegativeLogLikelihoodLoss" : "SoftmaxCrossEntropyLoss", 13);
            test_op_string(ops[i], "reduction", reductions[k]);
            test_op_int(ops[i], "ignore_index", 9);
            test_op_input(ops[i], oq_tensor_retain(i ? test_op_output(&soft, 0) : &soft.inputs[0].tensor));
            test_op_input(ops[i],
                          test_op_tensor(ops[i], ONNXQ_INT64, OQ_SHAPE(3, 2), (double[]){0, 4, 9, 2, 1, 3}));
            test_op_input(ops[i],
                          test_op_tensor(ops[i], ONNXQ_FLOAT, OQ_SHAPE(5), (double[]){1, 2, 0.5, 1, 3}));
            test_op_run(ops[i], i ? 1 : 2);
        }
        ck_assert(oq_tensor_equal(test_op_output(&whole, 0), test_op_output(&loss, 0)));
        ck_assert(oq_tensor_equal(test_op_output(&whole, 1), test_op_output(&soft, 0)));
        if (!k) ck_assert_double_eq(oq_tensor_get_f64(test_op_output(&loss, 0), 2), 0);
        test_op_release(&whole);
        test_op_release(&loss);
        test_op_release(&soft);
    }
}
END_TEST

START_TEST(a_label_outside_the_classes_is_an_error) {
    test_op op;
    test_op_init(&op, "NegativeLogLikelihoodLoss", 13);
    test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(2, 3), 1, -1, 0));
    test_op_input(&op, test_op_tensor(&op, ONNXQ_INT32, OQ_SHAPE(2), (double[]){0, 3}));
    ck_assert_int_eq(test_op_try(&op, 1), ONNXQ_BAD_DATA);
    test_op_release(&op);
}
END_TEST

START_TEST(windows_are_symmetric) {
    static const char *const names[] = {"HannWindow", "HammingWindow", "BlackmanWindow"};
    for (int k = 0; k < 3; k++) {
        test_op op;
        test_op_init(&op, names[k], 17);
        test_op_int(&op, "periodic", 0);
        test_op_int(&op, "output_datatype", ONNXQ_DOUBLE);
        test_op_input(&op, test_op_tensor(&op, ONNXQ_INT32, (oq_shape){0}, (double[]){11}));
        test_op_run(&op, 1);
        const oq_tensor *y = test_op_output(&op, 0);
        ck_assert_int_eq(oq_tensor_count(y), 11);
        ck_assert_double_eq_tol(oq_tensor_get_f64(y, 5), 1, 1e-12);
        for (int i = 0; i < 5; i++)
            ck_assert_double_eq_tol(oq_tensor_get_f64(y, i), oq_tensor_get_f64(y, 10 - i), 1e-12);
        test_op_release(&op);
        test_op_init(&op, names[k], 17);
        test_op_input(&op, test_op_tensor(&op, ONNXQ_INT64, (oq_shape){0}, (double[]){-1}));
        ck_assert_int_eq(test_op_try(&op, 1), ONNXQ_BAD_MODEL);
        test_op_release(&op);
    }
}
END_TEST

START_TEST(determinants) {
    test_op op;
    test_op_init(&op, "Det", 22);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(3, 2, 2),
                                      (double[]){1, 2, 3, 4, 0, 1, 1, 0, 1, 2, 2, 4}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_FLOAT, OQ_SHAPE(3), (double[]){-2, -1, 0}, 1e-6);
    test_op_release(&op);
    test_op_init(&op, "Det", 22);
    test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(2, 3), 1, 0, 1));
    ck_assert_int_eq(test_op_try(&op, 1), ONNXQ_BAD_MODEL);
    test_op_release(&op);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ops/random");
    TCase *tcase = tcase_create("random");
    tcase_add_test(tcase, numbers_of_the_published_generator);
    tcase_add_test(tcase, moments_and_repeats);
    tcase_add_test(tcase, draws_follow_their_probabilities);
    tcase_add_test(tcase, dropout);
    tcase_add_test(tcase, cross_entropy_is_the_loss_of_log_softmax);
    tcase_add_test(tcase, a_label_outside_the_classes_is_an_error);
    tcase_add_test(tcase, windows_are_symmetric);
    tcase_add_test(tcase, determinants);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
