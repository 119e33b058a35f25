// QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear: ties, saturation, NaN, axes, blocks, all grids.
#include "support/op_context.h"

#include <math.h>

static void quantize(test_op *op, int64_t opset, oq_tensor (*make)(test_op *), float scale, oq_dtype dtype,
                     double zero) {
    test_op_init(op, "QuantizeLinear", opset);
    test_op_input(op, make(op));
    test_op_input(op, test_op_tensor_raw(op, ONNXQ_FLOAT, (oq_shape){0}, &scale));
    test_op_input(op, test_op_tensor(op, dtype, (oq_shape){0}, &zero));
    test_op_run(op, 1);
}

static oq_tensor ties(test_op *op) {
    return test_op_tensor(op, ONNXQ_FLOAT, OQ_SHAPE(8),
                          (double[]){0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49, 3.51});
}

// Round half to even first, then add: with an odd zero point the other order differs.
START_TEST(ties_go_to_even_before_the_zero_point) {
    test_op op;
    quantize(&op, 13, ties, 1.0F, ONNXQ_UINT8, 101);
    test_op_expect(&op, 0, ONNXQ_UINT8, OQ_SHAPE(8), (double[]){101, 103, 103, 101, 99, 99, 101, 105}, 0);
    test_op_release(&op);
    quantize(&op, 21, ties, 1.0F, ONNXQ_INT16, 1);
    test_op_expect(&op, 0, ONNXQ_INT16, OQ_SHAPE(8), (double[]){1, 3, 3, 1, -1, -1, 1, 5}, 0);
    test_op_release(&op);
}
END_TEST

static oq_tensor extremes(test_op *op) {
    return test_op_tensor(op, ONNXQ_FLOAT, OQ_SHAPE(7),
                          (double[]){1e30, -1e30, (double)INFINITY, -(double)INFINITY, (double)NAN, 0, -0.0});
}

START_TEST(everything_saturates_and_nan_is_the_zero_point) {
    static const struct {
        oq_dtype dtype;
        double zero, low, high;
        int64_t opset;
    } cases[] = {{ONNXQ_INT8, -3, -128, 127, 10},
                 {ONNXQ_UINT8, 250, 0, 255, 10},
                 {ONNXQ_INT16, 100, -32768, 32767, 21},
                 {ONNXQ_UINT16, 65535, 0, 65535, 21},
                 {ONNXQ_INT4, -8, -8, 7, 21},
                 {ONNXQ_UINT4, 3, 0, 15, 21},
                 {ONNXQ_INT2, 1, -2, 1, 25},
                 {ONNXQ_UINT2, 2, 0, 3, 25}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_op op;
        const double low = cases[i].low;
        const double high = cases[i].high;
        const double zero = cases[i].zero;
        quantize(&op, cases[i].opset, extremes, 0.1F, cases[i].dtype, zero);
        test_op_expect(&op, 0, cases[i].dtype, OQ_SHAPE(7),
                       (double[]){high, low, high, low, zero, zero, zero}, 0);
        test_op_release(&op);
    }
}
END_TEST

// The formula of the standard, one element at a time.
static double one(double x, double scale, double zero, double low, double high) {
    const double q = (double)rintf((float)x / (float)scale) + zero;
    return q < low ? low : q > high ? high : q;
}

// Every axis of a tensor of rank 3, with scales of one value per index.
START_TEST(per_axis_scales_go_with_their_axis) {
    const int64_t sizes[] = {3, 5, 4};
    for (int axis = -3; axis < 3; axis++) {
        test_op op;
        const int at = axis < 0 ? axis + 3 : axis;
        test_op_init(&op, "QuantizeLinear", 13);
        test_op_int(&op, "axis", axis);
        test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(3, 5, 4), 7, -40, 40));
        test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(sizes[at]), 8, 0.05, 0.5));
        test_op_input(&op, test_op_random(&op, ONNXQ_INT8, OQ_SHAPE(sizes[at]), 9, -20, 20));
        test_op_run(&op, 1);
        const oq_tensor *y = test_op_output(&op, 0);
        for (int64_t i = 0; i < 60; i++) {
            const int64_t index[] = {i / 20, i / 4 % 5, i % 4};
            const double expected = one(oq_tensor_get_f64(&op.inputs[0].tensor, i),
                                        oq_tensor_get_f64(&op.inputs[1].tensor, index[at]),
                                        oq_tensor_get_f64(&op.inputs[2].tensor, index[at]), -128, 127);
            ck_assert_double_eq(oq_tensor_get_f64(y, i), expected);
        }
        test_op_release(&op);
    }
}
END_TEST

// Blocks along every axis, the last block shorter; and back again within half a step.
START_TEST(blocks_share_scales_along_their_axis) {
    for (int axis = 0; axis < 3; axis++) {
        test_op op;
        test_op back;
        oq_shape blocks = OQ_SHAPE(3, 5, 4);
        blocks.dim[axis] = (blocks.dim[axis] + 1) / 2;
        test_op_init(&op, "QuantizeLinear", 21);
        test_op_int(&op, "axis", axis);
        test_op_int(&op, "block_size", 2);
        test_op_int(&op, "output_dtype", ONNXQ_INT16);
        test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(3, 5, 4), 3, -40, 40));
        test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, blocks, 4, 0.05, 0.5));
        test_op_run(&op, 1);
        test_op_init(&back, "DequantizeLinear", 21);
        test_op_int(&back, "axis", axis);
        test_op_int(&back, "block_size", 2);
        test_op_input(
            &back, test_op_tensor_raw(&back, ONNXQ_INT16, OQ_SHAPE(3, 5, 4), test_op_output(&op, 0)->data));
        test_op_input(&back, test_op_tensor_raw(&back, ONNXQ_FLOAT, blocks, op.inputs[1].tensor.data));
        test_op_run(&back, 1);
        for (int64_t i = 0; i < 60; i++) {
            int64_t index[] = {i / 20, i / 4 % 5, i % 4};
            index[axis] /= 2;
            const int64_t block = (index[0] * blocks.dim[1] + index[1]) * blocks.dim[2] + index[2];
            const double scale = oq_tensor_get_f64(&op.inputs[1].tensor, block);
            const double x = oq_tensor_get_f64(&op.inputs[0].tensor, i);
            ck_assert_double_eq(oq_tensor_get_f64(test_op_output(&op, 0), i),
                                one(x, scale, 0, -32768, 32767));
            ck_assert_double_le(fabs(oq_tensor_get_f64(test_op_output(&back, 0), i) - x), scale * 0.5001);
        }
        test_op_release(&op);
        test_op_release(&back);
    }
}
END_TEST

// Quantized values survive dequantization and quantization again, for every grid, scale type and output type.
START_TEST(quantize_undoes_dequantize) {
    static const oq_dtype grids[] = {ONNXQ_INT8,       ONNXQ_UINT8,          ONNXQ_INT16,
                                     ONNXQ_UINT16,     ONNXQ_INT4,           ONNXQ_UINT4,
                                     ONNXQ_INT2,       ONNXQ_UINT2,          ONNXQ_FLOAT8E4M3FN,
                                     ONNXQ_FLOAT8E5M2, ONNXQ_FLOAT8E4M3FNUZ, ONNXQ_FLOAT4E2M1};
    for (size_t i = 0; i < sizeof grids / sizeof grids[0]; i++) {
        test_op op;
        test_op back;
        const float scale = 0.25F;
        const oq_dtype_traits *traits = oq_dtype_info(grids[i]);
        const double low = traits->is_float ? -6 : (double)traits->min;
        const double high = traits->is_float ? 6 : (double)traits->max;
        test_op_init(&op, "DequantizeLinear", 25);
        test_op_input(&op, test_op_random(&op, grids[i], OQ_SHAPE(600), 5, low, high));
        test_op_input(&op, test_op_tensor_raw(&op, ONNXQ_FLOAT, (oq_shape){0}, &scale));
        test_op_run(&op, 1);
        test_op_init(&back, "QuantizeLinear", 25);
        test_op_int(&back, "output_dtype", (int64_t)grids[i]);
        test_op_input(&back,
                      test_op_tensor_raw(&back, ONNXQ_FLOAT, OQ_SHAPE(600), test_op_output(&op, 0)->data));
        test_op_input(&back, test_op_tensor_raw(&back, ONNXQ_FLOAT, (oq_shape){0}, &scale));
        test_op_run(&back, 1);
        for (int64_t k = 0; k < 600; k++) {
            ck_assert_double_eq(oq_tensor_get_f64(test_op_output(&back, 0), k),
                                oq_tensor_get_f64(&op.inputs[0].tensor, k));
        }
        test_op_release(&op);
        test_op_release(&back);
    }
}
END_TEST

START_TEST(float16_is_divided_in_float32_unless_precision_says_otherwise) {
    for (int narrow = 0; narrow < 2; narrow++) {
        test_op op;
        test_op_init(&op, "QuantizeLinear", 23);
        if (narrow) test_op_int(&op, "precision", ONNXQ_FLOAT16);
        // 3.49976 steps: float16 rounds that to 3.5, and 3.5 goes to the even 4.
        test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT16, OQ_SHAPE(1), (double[]){3.498046875}));
        test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT16, (oq_shape){0}, (double[]){0.99951171875}));
        test_op_input(&op, test_op_tensor(&op, ONNXQ_UINT8, (oq_shape){0}, (double[]){0}));
        test_op_run(&op, 1);
        const double expected = narrow ? 4 : 3;
        test_op_expect(&op, 0, ONNXQ_UINT8, OQ_SHAPE(1), &expected, 0);
        test_op_release(&op);
    }
}
END_TEST

START_TEST(int32_is_dequantized_exactly_up_to_float32) {
    test_op op;
    test_op_init(&op, "DequantizeLinear", 10);
    test_op_input(
        &op, test_op_tensor(&op, ONNXQ_INT32, OQ_SHAPE(3), (double[]){2147483647, -2147483648.0, 16777217}));
    test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, (oq_shape){0}, (double[]){0.5}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_FLOAT, OQ_SHAPE(3), (double[]){1073741824, -1073741824, 8388608}, 0);
    test_op_release(&op);
}
END_TEST

static void dynamic(test_op *op, oq_shape shape, const double *values) {
    test_op_init(op, "DynamicQuantizeLinear", 11);
    test_op_input(op, test_op_tensor(op, ONNXQ_FLOAT, shape, values));
    test_op_run(op, 3);
}

START_TEST(dynamic_ranges_hold_zero) {
    test_op op;
    dynamic(&op, OQ_SHAPE(3), (double[]){1, 2, 5.1});
    test_op_expect(&op, 2, ONNXQ_UINT8, (oq_shape){0}, (double[]){0}, 0);
    test_op_expect(&op, 0, ONNXQ_UINT8, OQ_SHAPE(3), (double[]){50, 100, 255}, 0);
    test_op_release(&op);
    dynamic(&op, OQ_SHAPE(2), (double[]){-5.1, -1});
    test_op_expect(&op, 2, ONNXQ_UINT8, (oq_shape){0}, (double[]){255}, 0);
    test_op_expect(&op, 0, ONNXQ_UINT8, OQ_SHAPE(2), (double[]){0, 205}, 0);
    test_op_release(&op);
    dynamic(&op, OQ_SHAPE(3), (double[]){0, 0, 0});
    test_op_expect(&op, 0, ONNXQ_UINT8, OQ_SHAPE(3), (double[]){0, 0, 0}, 0);
    test_op_expect(&op, 1, ONNXQ_FLOAT, (oq_shape){0}, (double[]){1}, 0);
    test_op_release(&op);
    dynamic(&op, OQ_SHAPE(0), NULL);
    test_op_expect(&op, 1, ONNXQ_FLOAT, (oq_shape){0}, (double[]){1}, 0);
    test_op_release(&op);
}
END_TEST

// Parameters that do not fit are an error with a sentence, whatever their sizes.
START_TEST(wrong_parameters_are_refused) {
    static const int64_t wrong[][3] = {{4, 1, 0}, {3, 9, 0}, {0, 1, 0}, {2, 1, 2}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        test_op op;
        test_op_init(&op, "QuantizeLinear", 21);
        test_op_int(&op, "axis", wrong[i][1]);
        test_op_int(&op, "block_size", wrong[i][2]);
        test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(2, 3), 1, -1, 1));
        test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(wrong[i][0]), 1, 0.5, 1));
        ck_assert_int_eq(test_op_try(&op, 1), ONNXQ_BAD_MODEL);
        test_op_release(&op);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("quantize");
    TCase *tcase = tcase_create("quantize");
    tcase_add_test(tcase, ties_go_to_even_before_the_zero_point);
    tcase_add_test(tcase, everything_saturates_and_nan_is_the_zero_point);
    tcase_add_test(tcase, per_axis_scales_go_with_their_axis);
    tcase_add_test(tcase, blocks_share_scales_along_their_axis);
    tcase_add_test(tcase, quantize_undoes_dequantize);
    tcase_add_test(tcase, float16_is_divided_in_float32_unless_precision_says_otherwise);
    tcase_add_test(tcase, int32_is_dequantized_exactly_up_to_float32);
    tcase_add_test(tcase, dynamic_ranges_hold_zero);
    tcase_add_test(tcase, wrong_parameters_are_refused);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
