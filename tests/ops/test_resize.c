// Laws of Resize: by 1 nothing changes, constants stay, integers double exactly, ramps stay ramps.
#include "support/op_context.h"

#include <math.h>

static const char *const coordinates[] = {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",
                                          "align_corners", "asymmetric"};
static const char *const modes[] = {"nearest", "linear", "cubic"};

static void set_up(test_op *op, const char *mode, const char *coordinate, oq_tensor data, double height,
                   double width) {
    test_op_init(op, "Resize", 19);
    test_op_string(op, "mode", mode);
    test_op_string(op, "coordinate_transformation_mode", coordinate);
    data.buffer = NULL; // borrowed by the input
    test_op_input(op, data);
    test_op_skip(op);
    test_op_input(op, test_op_tensor(op, ONNXQ_FLOAT, OQ_SHAPE(4), (double[]){1, 1, height, width}));
}

static oq_tensor picture(test_op *op, oq_shape shape) {
    return test_op_random(op, ONNXQ_FLOAT, shape, 5, -1, 1);
}

START_TEST(by_one_nothing_changes) {
    test_op owner;
    test_op_init(&owner, "Resize", 19);
    oq_tensor data = picture(&owner, OQ_SHAPE(2, 3, 5, 4));
    for (int m = 0; m < 3; m++)
        for (int c = 0; c < 5; c++) {
            test_op op;
            set_up(&op, modes[m], coordinates[c], data, 1, 1);
            test_op_run(&op, 1);
            ck_assert(oq_tensor_equal(&data, test_op_output(&op, 0)));
            test_op_release(&op);
        }
    oq_tensor_release(&data);
    test_op_release(&owner);
}
END_TEST

START_TEST(constants_stay) {
    const float sevens[12] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};
    static const double scales[][2] = {{2, 3}, {0.5, 0.75}, {1.6, 0.3}, {0.26, 5}};
    for (int m = 0; m < 3; m++)
        for (int c = 0; c < 5; c++)
            for (int s = 0; s < 4; s++)
                for (int antialias = 0; antialias < (m ? 2 : 1); antialias++) {
                    test_op op;
                    const oq_tensor data = {.dtype = ONNXQ_FLOAT,
                                            .shape = OQ_SHAPE(1, 1, 4, 3),
                                            .data = (void *)(uintptr_t)sevens};
                    set_up(&op, modes[m], coordinates[c], data, scales[s][0], scales[s][1]);
                    test_op_int(&op, "antialias", antialias);
                    test_op_run(&op, 1);
                    const oq_tensor *out = test_op_output(&op, 0);
                    for (int64_t i = 0; i < oq_tensor_count(out); i++)
                        ck_assert_float_eq_tol(((float *)out->data)[i], 7, 1e-5F);
                    test_op_release(&op);
                }
}
END_TEST

START_TEST(nearest_doubles_every_element) {
    test_op owner, op;
    test_op_init(&owner, "Resize", 19);
    oq_tensor data = picture(&owner, OQ_SHAPE(1, 2, 3, 4));
    set_up(&op, "nearest", "half_pixel", data, 2, 3);
    test_op_run(&op, 1);
    const oq_tensor *out = test_op_output(&op, 0);
    for (int64_t i = 0; i < oq_tensor_count(out); i++) {
        const int64_t plane = i / (6 * 12), row = i / 12 % 6, column = i % 12;
        ck_assert_float_eq(((float *)out->data)[i],
                           ((float *)data.data)[(plane * 3 + row / 2) * 4 + column / 3]);
    }
    test_op_release(&op);
    oq_tensor_release(&data);
    test_op_release(&owner);
}
END_TEST

// Linear and cubic interpolation keep a straight line where they do not reach beyond the border.
START_TEST(ramps_stay_ramps) {
    float ramp[16];
    for (int i = 0; i < 16; i++) ramp[i] = (float)i;
    for (int m = 1; m < 3; m++) {
        test_op op;
        const oq_tensor data = {.dtype = ONNXQ_FLOAT, .shape = OQ_SHAPE(1, 1, 1, 16), .data = ramp};
        set_up(&op, modes[m], "asymmetric", data, 1, 4);
        test_op_float(&op, "cubic_coeff_a", -0.5F); // the value at which the cubic kernel is exact on lines
        test_op_run(&op, 1);
        const float *out = test_op_output(&op, 0)->data;
        for (int j = 4; j < 56; j++) ck_assert_float_eq_tol(out[j], (float)j / 4, 1e-5F);
        test_op_release(&op);
    }
}
END_TEST

START_TEST(absurd_scales_are_refused) {
    static const double scales[] = {0, -1, 1e30, NAN, INFINITY};
    for (size_t s = 0; s < sizeof scales / sizeof scales[0]; s++)
        for (int m = 0; m < 3; m++) {
            test_op op;
            float one[4] = {1, 2, 3, 4};
            const oq_tensor data = {.dtype = ONNXQ_FLOAT, .shape = OQ_SHAPE(1, 1, 2, 2), .data = one};
            set_up(&op, modes[m], "half_pixel", data, 1, scales[s]);
            op.mem.budget = 1 << 24;
            ck_assert_int_ne(test_op_try(&op, 1), ONNXQ_OK);
            test_op_release(&op);
        }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("resize");
    TCase *tests = tcase_create("laws");
    tcase_add_test(tests, by_one_nothing_changes);
    tcase_add_test(tests, constants_stay);
    tcase_add_test(tests, nearest_doubles_every_element);
    tcase_add_test(tests, ramps_stay_ramps);
    tcase_add_test(tests, absurd_scales_are_refused);
    suite_add_tcase(suite, tests);
    return test_main(suite);
}
