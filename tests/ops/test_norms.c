// Normalizations: what they promise (mean 0, variance 1, unit norm), how they relate, and attention's laws.
#include "support/op_context.h"

#include <math.h>

static double at(const test_op *op, size_t output, int64_t i) {
    return oq_tensor_get_f64(&op->outputs[output].tensor, i);
}
static double in(const test_op *op, size_t input, int64_t i) {
    return oq_tensor_get_f64(&op->inputs[input].tensor, i);
}

static oq_tensor filled(test_op *op, oq_dtype dtype, oq_shape shape, double value) {
    double values[64];
    for (int i = 0; i < 64; i++) values[i] = value;
    return test_op_tensor(op, dtype, shape, values);
}

// Mean and variance of `count` outputs from `first` on, `step` apart.
static void moments(const test_op *op, int64_t first, int64_t count, int64_t step, double *mean,
                    double *variance) {
    *mean = 0;
    *variance = 0;
    for (int64_t i = 0; i < count; i++) *mean += at(op, 0, first + i * step) / (double)count;
    for (int64_t i = 0; i < count; i++)
        *variance += pow(at(op, 0, first + i * step) - *mean, 2) / (double)count;
}

static void expect_standard(const test_op *op, int64_t first, int64_t count, int64_t step, double tolerance) {
    double mean = 0;
    double variance = 0;
    moments(op, first, count, step, &mean, &variance);
    ck_assert_double_le(fabs(mean), tolerance);
    ck_assert_double_le(fabs(variance - 1), tolerance);
}

static const oq_dtype types[] = {ONNXQ_FLOAT, ONNXQ_DOUBLE, ONNXQ_FLOAT16};
static const double tolerances[] = {1e-4, 1e-4, 1e-2}; // epsilon moves the variance a little

START_TEST(normalized_rows_have_mean_0_and_variance_1) {
    for (size_t t = 0; t < 3; t++) {
        test_op op;
        test_op_init(&op, "LayerNormalization", 17);
        test_op_int(&op, "axis", 1);
        test_op_input(&op, test_op_random(&op, types[t], OQ_SHAPE(4, 5, 6), 1, -3, 9));
        test_op_input(&op, filled(&op, types[t], OQ_SHAPE(5, 6), 1));
        test_op_run(&op, 3);
        for (int64_t row = 0; row < 4; row++) {
            expect_standard(&op, row * 30, 30, 1, tolerances[t]);
            const double x = (in(&op, 0, row * 30) - at(&op, 1, row)) * at(&op, 2, row);
            ck_assert_double_le(fabs(x - at(&op, 0, row * 30)), tolerances[t]);
        }
        ck_assert_int_eq(test_op_output(&op, 1)->dtype, ONNXQ_FLOAT);
        test_op_release(&op);

        test_op_init(&op, "InstanceNormalization", 22);
        test_op_input(&op, test_op_random(&op, types[t], OQ_SHAPE(2, 3, 4, 5), 1, -3, 9));
        test_op_input(&op, filled(&op, types[t], OQ_SHAPE(3), 1));
        test_op_input(&op, filled(&op, types[t], OQ_SHAPE(3), 0));
        test_op_run(&op, 1);
        for (int64_t plane = 0; plane < 6; plane++) expect_standard(&op, plane * 20, 20, 1, tolerances[t]);
        test_op_release(&op);

        test_op_init(&op, "MeanVarianceNormalization", 13);
        test_op_ints(&op, "axes", (int64_t[]){0, -2}, 2);
        test_op_input(&op, test_op_random(&op, types[t], OQ_SHAPE(4, 1, 3), 1, -3, 9));
        test_op_run(&op, 1);
        for (int64_t column = 0; column < 3; column++) expect_standard(&op, column, 4, 3, tolerances[t]);
        test_op_release(&op);
    }
}
END_TEST

// Training normalizes with the batch's own statistics and moves the running ones towards them.
START_TEST(batch_normalization_uses_the_right_statistics) {
    for (size_t t = 0; t < 3; t++) {
        for (int training = 0; training < 2; training++) {
            test_op op;
            test_op_init(&op, "BatchNormalization", 15);
            test_op_int(&op, "training_mode", training);
            test_op_float(&op, "momentum", 0.75F);
            test_op_input(&op, test_op_random(&op, types[t], OQ_SHAPE(3, 2, 4), 1, -3, 9));
            test_op_input(&op, test_op_tensor(&op, types[t], OQ_SHAPE(2), (double[]){1, 2}));
            test_op_input(&op, test_op_tensor(&op, types[t], OQ_SHAPE(2), (double[]){0, 3}));
            test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(2), (double[]){8, -8}));
            test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(2), (double[]){4, 16}));
            test_op_run(&op, training ? 3 : 1);
            double mean[2] = {8, -8};
            double variance[2] = {4, 16};
            for (int64_t c = 0; c < 2 && training; c++) {
                mean[c] = variance[c] = 0;
                for (int64_t i = 0; i < 12; i++) mean[c] += in(&op, 0, i / 4 * 8 + c * 4 + i % 4) / 12;
                for (int64_t i = 0; i < 12; i++)
                    variance[c] += pow(in(&op, 0, i / 4 * 8 + c * 4 + i % 4) - mean[c], 2) / 12;
                ck_assert_double_le(fabs(at(&op, 1, c) - (in(&op, 3, c) * 0.75 + mean[c] * 0.25)), 1e-4);
                ck_assert_double_le(fabs(at(&op, 2, c) - (in(&op, 4, c) * 0.75 + variance[c] * 0.25)), 1e-4);
            }
            for (int64_t i = 0; i < 24; i++) {
                const int64_t c = i / 4 % 2;
                const double y =
                    (in(&op, 0, i) - mean[c]) / sqrt(variance[c] + 1e-5) * in(&op, 1, c) + in(&op, 2, c);
                ck_assert_double_le(fabs(at(&op, 0, i) - y), tolerances[t]);
            }
            test_op_release(&op);
        }
    }
}
END_TEST

// One group per channel is instance normalization; in opset 18 scales belong to groups, since 21 to channels.
START_TEST(group_normalization_scales_groups_or_channels) {
    for (int64_t opset = 18; opset <= 21; opset += 3) {
        test_op op;
        const int64_t scales = opset == 18 ? 2 : 4;
        test_op_init(&op, "GroupNormalization", opset);
        test_op_int(&op, "num_groups", 2);
        test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(2, 4, 5), 1, -3, 9));
        test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(scales), (double[]){1, 2, 3, 4}));
        test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(scales), (double[]){0, 5, 6, 7}));
        test_op_run(&op, 1);
        for (int64_t group = 0; group < 4; group++) {
            double mean = 0;
            double variance = 0;
            for (int64_t i = 0; i < 10; i++) mean += in(&op, 0, group * 10 + i) / 10;
            for (int64_t i = 0; i < 10; i++) variance += pow(in(&op, 0, group * 10 + i) - mean, 2) / 10;
            for (int64_t i = 0; i < 10; i++) {
                const int64_t p = opset == 18 ? group % 2 : group % 2 * 2 + i / 5;
                const double y = (in(&op, 0, group * 10 + i) - mean) / sqrt(variance + 1e-5) * in(&op, 1, p) +
                                 in(&op, 2, p);
                ck_assert_double_le(fabs(at(&op, 0, group * 10 + i) - y), 1e-4);
            }
        }
        test_op_release(&op);
    }
}
END_TEST

START_TEST(scales_of_layer_normalization_broadcast) {
    test_op op;
    test_op_init(&op, "LayerNormalization", 17);
    test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(2, 3, 4), 1, -3, 9));
    test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(3, 1), 2, 1, 2));
    test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(1), 2, 1, 2));
    test_op_run(&op, 1);
    for (int64_t row = 0; row < 6; row++) {
        double mean = 0;
        double variance = 0;
        moments(&op, row * 4, 4, 1, &mean, &variance);
        ck_assert_double_le(fabs(mean - in(&op, 2, 0)), 1e-4);
        ck_assert_double_le(fabs(sqrt(variance) - in(&op, 1, row % 3)), 1e-4);
    }
    test_op_release(&op);
}
END_TEST

START_TEST(vectors_of_norm_1_and_of_norm_0) {
    test_op op;
    test_op_init(&op, "LpNormalization", 22);
    test_op_int(&op, "axis", 0);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(2, 2), (double[]){3, 0, -4, 0}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_FLOAT, OQ_SHAPE(2, 2), (double[]){0.6, 0, -0.8, 0}, 1e-7);
    test_op_release(&op);
    test_op_init(&op, "RMSNormalization", 23);
    test_op_float(&op, "epsilon", 0);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT16, OQ_SHAPE(1, 4), (double[]){1, -1, 7, -7}));
    test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(4), (double[]){5, 5, 5, 5}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_FLOAT, OQ_SHAPE(1, 4), (double[]){1, -1, 7, -7}, 1e-5);
    test_op_release(&op);
}
END_TEST

// Attention with equal keys averages the values it may see: positions 0..i with is_causal, with a cache in
// front.
START_TEST(causal_attention_averages_what_lies_before) {
    for (size_t t = 0; t < 3; t++) {
        test_op op;
        test_op_init(&op, "Attention", 23);
        test_op_int(&op, "is_causal", 1);
        test_op_input(&op, test_op_random(&op, types[t], OQ_SHAPE(1, 2, 3, 4), 1, -1, 1));
        test_op_input(&op, filled(&op, types[t], OQ_SHAPE(1, 1, 3, 4), 0.5));
        test_op_input(&op, test_op_tensor(&op, types[t], OQ_SHAPE(1, 1, 3, 1), (double[]){4, 5, 6}));
        test_op_skip(&op);
        test_op_input(&op, filled(&op, types[t], OQ_SHAPE(1, 1, 2, 4), 0.5));
        test_op_input(&op, test_op_tensor(&op, types[t], OQ_SHAPE(1, 1, 2, 1), (double[]){1, 2}));
        test_op_run(&op, 3);
        test_op_expect(&op, 0, types[t], OQ_SHAPE(1, 2, 3, 1), (double[]){7.0 / 3, 3, 3.6, 7.0 / 3, 3, 3.6},
                       tolerances[t]);
        test_op_expect(&op, 2, types[t], OQ_SHAPE(1, 1, 5, 1), (double[]){1, 2, 4, 5, 6}, 0);
        test_op_release(&op);
    }
}
END_TEST

START_TEST(masked_out_queries_give_zeros) {
    test_op op;
    test_op_init(&op, "Attention", 23);
    test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(1, 1, 2, 4), 1, -1, 1));
    test_op_input(&op, filled(&op, ONNXQ_FLOAT, OQ_SHAPE(1, 1, 3, 4), 0.5));
    test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(1, 1, 3, 1), (double[]){4, 5, 6}));
    test_op_input(&op, test_op_tensor_raw(&op, ONNXQ_BOOL, OQ_SHAPE(2, 3), (uint8_t[]){0, 0, 0, 1, 0, 1}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_FLOAT, OQ_SHAPE(1, 1, 2, 1), (double[]){0, 5}, 1e-6);
    test_op_release(&op);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("norms");
    TCase *tcase = tcase_create("norms");
    tcase_add_test(tcase, normalized_rows_have_mean_0_and_variance_1);
    tcase_add_test(tcase, batch_normalization_uses_the_right_statistics);
    tcase_add_test(tcase, group_normalization_scales_groups_or_channels);
    tcase_add_test(tcase, scales_of_layer_normalization_broadcast);
    tcase_add_test(tcase, vectors_of_norm_1_and_of_norm_0);
    tcase_add_test(tcase, causal_attention_averages_what_lies_before);
    tcase_add_test(tcase, masked_out_queries_give_zeros);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
