// Pools against their definition, place by place, for every kind of number; and what they hold between them.
#include "support/op_context.h"

#include <math.h>

typedef struct pool_case {
    int64_t in[2], kernel[2], stride[2], dilation[2], pads[4], out[2];
    bool ceil;
} pool_case;

static const pool_case cases[] = {
    {{6, 7}, {2, 3}, {1, 1}, {1, 1}, {0, 0, 0, 0}, {5, 5}, false},
    {{6, 7}, {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, {3, 4}, false},
    {{6, 7}, {3, 2}, {2, 3}, {1, 2}, {0, 1, 1, 0}, {3, 2}, false},
    {{6, 8}, {3, 3}, {2, 2}, {1, 1}, {0, 0, 0, 0}, {3, 4}, true},
    {{4, 4}, {1, 1}, {2, 3}, {1, 1}, {0, 0, 0, 0}, {2, 2}, true}, // no window may begin behind the image
    {{5, 5}, {2, 2}, {3, 3}, {2, 2}, {1, 0, 1, 1}, {2, 2}, true},
};

static void attributes(test_op *op, const pool_case *c) {
    test_op_ints(op, "kernel_shape", c->kernel, 2);
    test_op_ints(op, "strides", c->stride, 2);
    test_op_ints(op, "dilations", c->dilation, 2);
    test_op_ints(op, "pads", c->pads, 4);
    test_op_int(op, "ceil_mode", c->ceil);
}

// The window of place `i` of a plane: elements inside the image (offsets), and cells inside image and
// padding.
typedef struct window {
    int64_t offset[16];
    int count, padded;
} window;
static window window_at(const pool_case *c, int64_t i) {
    window w = {.count = 0};
    for (int64_t k = 0; k < c->kernel[0] * c->kernel[1]; k++) {
        const int64_t y = i / c->out[1] * c->stride[0] + k / c->kernel[1] * c->dilation[0] - c->pads[0];
        const int64_t x = i % c->out[1] * c->stride[1] + k % c->kernel[1] * c->dilation[1] - c->pads[1];
        const bool inside = y >= 0 && y < c->in[0] && x >= 0 && x < c->in[1];
        w.padded += y < c->in[0] + c->pads[2] && x < c->in[1] + c->pads[3];
        if (inside) w.offset[w.count++] = y * c->in[1] + x;
    }
    return w;
}

static oq_shape shape_of(const int64_t *plane) { return OQ_SHAPE(2, 3, plane[0], plane[1]); }

START_TEST(max_pool_finds_the_first_greatest_element) {
    static const oq_dtype types[] = {ONNXQ_FLOAT,    ONNXQ_DOUBLE, ONNXQ_FLOAT16,
                                     ONNXQ_BFLOAT16, ONNXQ_INT8,   ONNXQ_UINT8};
    for (size_t i = 0; i < 6 * sizeof cases / sizeof cases[0]; i++) {
        const pool_case *c = &cases[i / 6];
        const oq_shape shape = shape_of(c->out);
        const bool is_signed = types[i % 6] != ONNXQ_UINT8;
        test_op op;
        test_op_init(&op, "MaxPool", 22);
        attributes(&op, c);
        test_op_input(&op, test_op_random(&op, types[i % 6], shape_of(c->in), 3, is_signed ? -9 : 0, 9));
        test_op_run(&op, 2);
        ck_assert_int_eq(test_op_output(&op, 0)->dtype, types[i % 6]);
        ck_assert(oq_shape_equal(&test_op_output(&op, 0)->shape, &shape));
        const int64_t places = c->out[0] * c->out[1];
        for (int64_t e = 0; e < oq_shape_count(&shape); e++) {
            const window w = window_at(c, e % places);
            const int64_t first = e / places * c->in[0] * c->in[1];
            int64_t best = first + w.offset[0];
            for (int k = 1; k < w.count; k++) {
                const int64_t at = first + w.offset[k];
                const oq_tensor *x = &op.inputs[0].tensor;
                if (oq_tensor_get_f64(x, at) > oq_tensor_get_f64(x, best)) best = at;
            }
            ck_assert_double_eq(oq_tensor_get_f64(test_op_output(&op, 0), e),
                                oq_tensor_get_f64(&op.inputs[0].tensor, best));
            ck_assert_int_eq(oq_tensor_get_i64(test_op_output(&op, 1), e), best);
        }
        test_op_release(&op);
    }
}
END_TEST

START_TEST(max_pool_without_indices_gives_the_same) {
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_op op;
        double with[256];
        test_op_init(&op, "MaxPool", 22);
        attributes(&op, &cases[i]);
        test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, shape_of(cases[i].in), 3, -9, 9));
        test_op_run(&op, 2);
        const oq_shape shape = test_op_output(&op, 0)->shape;
        for (int64_t e = 0; e < oq_shape_count(&shape); e++)
            with[e] = oq_tensor_get_f64(test_op_output(&op, 0), e);
        test_op_run(&op, 1);
        test_op_expect(&op, 0, ONNXQ_FLOAT, shape, with, 0);
        test_op_release(&op);
    }
}
END_TEST

// Sums over the window: with p = 0 the mean.
static void check_sums(const char *name, double p, bool with_padding) {
    static const oq_dtype types[] = {ONNXQ_FLOAT, ONNXQ_DOUBLE, ONNXQ_FLOAT16};
    static const double tolerance[] = {1e-5, 1e-13, 2e-2};
    for (size_t i = 0; i < 3 * sizeof cases / sizeof cases[0]; i++) {
        const pool_case *c = &cases[i / 3];
        test_op op;
        test_op_init(&op, name, 22);
        attributes(&op, c);
        if (p > 0) test_op_int(&op, "p", (int64_t)p);
        if (with_padding) test_op_int(&op, "count_include_pad", 1);
        test_op_input(&op, test_op_random(&op, types[i % 3], shape_of(c->in), 5, -2, 2));
        test_op_run(&op, 1);
        double expected[256];
        const int64_t places = c->out[0] * c->out[1];
        for (int64_t e = 0; e < 6 * places; e++) {
            const window w = window_at(c, e % places);
            expected[e] = 0;
            for (int k = 0; k < w.count; k++) {
                const double x =
                    oq_tensor_get_f64(&op.inputs[0].tensor, e / places * c->in[0] * c->in[1] + w.offset[k]);
                expected[e] += p > 0 ? pow(fabs(x), p) : x;
            }
            expected[e] = p > 0 ? pow(expected[e], 1 / p) : expected[e] / (with_padding ? w.padded : w.count);
        }
        test_op_expect(&op, 0, types[i % 3], shape_of(c->out), expected, tolerance[i % 3]);
        test_op_release(&op);
    }
}

START_TEST(average_and_norm_pools_sum_their_windows) {
    check_sums("AveragePool", 0, false);
    check_sums("AveragePool", 0, true);
    check_sums("LpPool", 1, false);
    check_sums("LpPool", 2, false);
    check_sums("LpPool", 3, false);
}
END_TEST

// A global pool is a pool whose window is the image.
START_TEST(global_pools_agree_with_pools_of_the_whole_image) {
    static const char *const names[][2] = {
        {"MaxPool", "GlobalMaxPool"}, {"AveragePool", "GlobalAveragePool"}, {"LpPool", "GlobalLpPool"}};
    for (size_t i = 0; i < 6; i++) {
        const oq_dtype dtype = i % 2 ? ONNXQ_DOUBLE : ONNXQ_FLOAT;
        test_op part;
        test_op whole;
        double expected[6];
        test_op_init(&part, names[i / 2][0], 22);
        test_op_ints(&part, "kernel_shape", (int64_t[]){5, 6}, 2);
        test_op_input(&part, test_op_random(&part, dtype, OQ_SHAPE(2, 3, 5, 6), 1, -1, 1));
        test_op_run(&part, 1);
        for (int64_t e = 0; e < 6; e++) expected[e] = oq_tensor_get_f64(test_op_output(&part, 0), e);
        test_op_init(&whole, names[i / 2][1], 22);
        test_op_input(&whole, test_op_random(&whole, dtype, OQ_SHAPE(2, 3, 5, 6), 1, -1, 1));
        test_op_run(&whole, 1);
        test_op_expect(&whole, 0, dtype, OQ_SHAPE(2, 3, 1, 1), expected, 1e-6);
        test_op_release(&part);
        test_op_release(&whole);
    }
}
END_TEST

// What MaxPool found goes back to where it was; pooling again finds it again.
START_TEST(unpooling_undoes_pooling) {
    test_op pool;
    test_op back;
    test_op again;
    test_op_init(&pool, "MaxPool", 11);
    test_op_ints(&pool, "kernel_shape", (int64_t[]){2, 2}, 2);
    test_op_ints(&pool, "strides", (int64_t[]){2, 2}, 2);
    test_op_input(&pool, test_op_random(&pool, ONNXQ_FLOAT, OQ_SHAPE(1, 2, 4, 6), 1, 1, 2));
    test_op_run(&pool, 2);
    test_op_init(&back, "MaxUnpool", 11);
    test_op_ints(&back, "kernel_shape", (int64_t[]){2, 2}, 2);
    test_op_ints(&back, "strides", (int64_t[]){2, 2}, 2);
    test_op_input(
        &back, test_op_tensor_raw(&back, ONNXQ_FLOAT, OQ_SHAPE(1, 2, 2, 3), test_op_output(&pool, 0)->data));
    test_op_input(
        &back, test_op_tensor_raw(&back, ONNXQ_INT64, OQ_SHAPE(1, 2, 2, 3), test_op_output(&pool, 1)->data));
    test_op_run(&back, 1);
    test_op_init(&again, "MaxPool", 11);
    test_op_ints(&again, "kernel_shape", (int64_t[]){2, 2}, 2);
    test_op_ints(&again, "strides", (int64_t[]){2, 2}, 2);
    test_op_input(&again, test_op_tensor_raw(&again, ONNXQ_FLOAT, OQ_SHAPE(1, 2, 4, 6),
                                             test_op_output(&back, 0)->data));
    test_op_run(&again, 2);
    ck_assert(oq_tensor_equal(test_op_output(&pool, 0), test_op_output(&again, 0)));
    ck_assert(oq_tensor_equal(test_op_output(&pool, 1), test_op_output(&again, 1)));
    ((int64_t *)back.inputs[1].tensor.data)[3] = 48; // outside
    ck_assert_int_eq(test_op_try(&back, 1), ONNXQ_BAD_DATA);
    test_op_release(&pool);
    test_op_release(&back);
    test_op_release(&again);
}
END_TEST

START_TEST(nan_is_seen_and_impossible_windows_are_refused) {
    test_op op;
    const int64_t kernels[] = {5, 0, -1, INT64_MAX};
    test_op_init(&op, "MaxPool", 11);
    test_op_ints(&op, "kernel_shape", (int64_t[]){2}, 1);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(1, 1, 4), (double[]){1, (double)NAN, 3, 2}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_FLOAT, OQ_SHAPE(1, 1, 3), (double[]){(double)NAN, (double)NAN, 3}, 0);
    test_op_release(&op);
    for (size_t i = 0; i < 4; i++) {
        test_op_init(&op, "AveragePool", 11);
        test_op_ints(&op, "kernel_shape", &kernels[i], 1);
        test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(1, 1, 4), 1, 0, 1));
        ck_assert_int_eq(test_op_try(&op, 1), ONNXQ_BAD_MODEL);
        test_op_release(&op);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("pools");
    TCase *tcase = tcase_create("pools");
    tcase_add_test(tcase, max_pool_finds_the_first_greatest_element);
    tcase_add_test(tcase, max_pool_without_indices_gives_the_same);
    tcase_add_test(tcase, average_and_norm_pools_sum_their_windows);
    tcase_add_test(tcase, global_pools_agree_with_pools_of_the_whole_image);
    tcase_add_test(tcase, unpooling_undoes_pooling);
    tcase_add_test(tcase, nan_is_seen_and_impossible_windows_are_refused);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
