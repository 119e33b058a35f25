// QLinearMatMul, MatMulInteger, QLinearConv and ConvInteger against the formulas, one element at a time.
#include "support/op_context.h"

#include <math.h>

static double saturated(int64_t acc, float multiplier, int64_t zero, bool is_signed) {
    const double q = (double)rintf((float)(int32_t)acc * multiplier) + (double)zero;
    const double low = is_signed ? -128 : 0;
    const double high = is_signed ? 127 : 255;
    return q < low ? low : q > high ? high : q;
}

static int64_t at(const test_op *op, size_t input, int64_t i) {
    return oq_tensor_get_i64(&op->inputs[input].tensor, i);
}
static float scale_at(const test_op *op, size_t input, int64_t i) {
    return (float)oq_tensor_get_f64(&op->inputs[input].tensor, i);
}

static oq_tensor bytes(test_op *op, oq_dtype dtype, oq_shape shape, uint64_t seed) {
    return dtype == ONNXQ_INT8 ? test_op_random(op, dtype, shape, seed, -128, 128)
                               : test_op_random(op, dtype, shape, seed, 0, 256);
}

// A scale and a zero point of the given shape.
static void parameters(test_op *op, oq_dtype dtype, oq_shape shape, uint64_t seed) {
    test_op_input(op, test_op_random(op, ONNXQ_FLOAT, shape, seed, 0.01, 0.02));
    test_op_input(op, bytes(op, dtype, shape, seed + 1));
}

typedef struct matmul_case {
    oq_dtype a, b, y;
    oq_shape a_shape, b_shape, a_params, b_params;
} matmul_case;

// Position of the parameter for a row or column of one matrix among `matrices`.
static int64_t pick(const test_op *op, size_t input, int64_t matrix, int64_t each, int64_t i) {
    const int64_t count = oq_tensor_count(&op->inputs[input].tensor);
    return count == 1 ? 0 : count == each ? i : matrix * each + i;
}

static void check_matmul(const matmul_case *c) {
    test_op op;
    const double y_scale = 0.9;
    test_op_init(&op, "QLinearMatMul", 21);
    test_op_input(&op, bytes(&op, c->a, c->a_shape, 11));
    parameters(&op, c->a, c->a_params, 21);
    test_op_input(&op, bytes(&op, c->b, c->b_shape, 31));
    parameters(&op, c->b, c->b_params, 41);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, (oq_shape){0}, &y_scale));
    test_op_input(&op, bytes(&op, c->y, (oq_shape){0}, 51));
    test_op_run(&op, 1);
    const int64_t m = c->a_shape.dim[c->a_shape.rank - 2];
    const int64_t k = c->a_shape.dim[c->a_shape.rank - 1];
    const int64_t n = c->b_shape.dim[c->b_shape.rank - 1];
    const int64_t a_count = oq_shape_range_count(&c->a_shape, 0, c->a_shape.rank - 2);
    const int64_t b_count = oq_shape_range_count(&c->b_shape, 0, c->b_shape.rank - 2);
    const int64_t batches = a_count > b_count ? a_count : b_count;
    for (int64_t i = 0; i < batches * m * n; i++) {
        const int64_t ai = a_count == 1 ? 0 : i / (m * n);
        const int64_t bi = b_count == 1 ? 0 : i / (m * n);
        const int64_t row = i / n % m;
        const int64_t column = i % n;
        const int64_t pa = pick(&op, 1, ai, m, row);
        const int64_t pb = pick(&op, 4, bi, n, column);
        int64_t acc = 0;
        for (int64_t x = 0; x < k; x++) {
            acc += (at(&op, 0, (ai * m + row) * k + x) - at(&op, 2, pa)) *
                   (at(&op, 3, (bi * k + x) * n + column) - at(&op, 5, pb));
        }
        const float multiplier = scale_at(&op, 1, pa) * scale_at(&op, 4, pb) / scale_at(&op, 6, 0);
        const double expected = saturated(acc, multiplier, at(&op, 7, 0), c->y == ONNXQ_INT8);
        ck_assert_double_eq(oq_tensor_get_f64(test_op_output(&op, 0), i), expected);
    }
    test_op_release(&op);
}

START_TEST(matrix_products_of_every_pair_of_types) {
    static const oq_dtype types[] = {ONNXQ_INT8, ONNXQ_UINT8};
    for (int i = 0; i < 8; i++) {
        const matmul_case c = {.a = types[i & 1],
                               .b = types[i >> 1 & 1],
                               .y = types[i >> 2],
                               .a_shape = OQ_SHAPE(5, 67),
                               .b_shape = OQ_SHAPE(67, 19)};
        check_matmul(&c);
    }
}
END_TEST

START_TEST(parameters_per_row_and_per_column_at_every_rank) {
    const matmul_case cases[] = {
        {.a_shape = OQ_SHAPE(5, 8), .b_shape = OQ_SHAPE(8, 33), .b_params = OQ_SHAPE(33)},
        {.a_shape = OQ_SHAPE(5, 8), .b_shape = OQ_SHAPE(8, 33), .a_params = OQ_SHAPE(5)},
        {.a_shape = OQ_SHAPE(5, 8),
         .b_shape = OQ_SHAPE(8, 3),
         .a_params = OQ_SHAPE(5, 1),
         .b_params = OQ_SHAPE(1, 3)},
        {.a_shape = OQ_SHAPE(3, 4, 8), .b_shape = OQ_SHAPE(3, 8, 6), .b_params = OQ_SHAPE(3, 1, 6)},
        {.a_shape = OQ_SHAPE(3, 4, 8), .b_shape = OQ_SHAPE(3, 8, 6), .a_params = OQ_SHAPE(3, 4, 1)},
        {.a_shape = OQ_SHAPE(3, 4, 8), .b_shape = OQ_SHAPE(8, 6), .a_params = OQ_SHAPE(3, 4, 1)},
        {.a_shape = OQ_SHAPE(1, 4, 8), .b_shape = OQ_SHAPE(3, 8, 6), .b_params = OQ_SHAPE(3, 1, 6)},
        {.a_shape = OQ_SHAPE(2, 3, 1, 8), .b_shape = OQ_SHAPE(8, 6)},
        {.a_shape = OQ_SHAPE(700, 3), .b_shape = OQ_SHAPE(3, 90), .b_params = OQ_SHAPE(90)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        matmul_case c = cases[i];
        c.a = ONNXQ_UINT8;
        c.b = i % 2 ? ONNXQ_UINT8 : ONNXQ_INT8;
        c.y = i % 3 ? ONNXQ_UINT8 : ONNXQ_INT8;
        check_matmul(&c);
    }
}
END_TEST

START_TEST(integer_products_are_exact_and_empty_ones_are_zero) {
    static const int64_t depths[] = {0, 1, 1000};
    for (size_t d = 0; d < 3; d++) {
        const int64_t k = depths[d];
        test_op op;
        test_op_init(&op, "MatMulInteger", 10);
        test_op_input(&op, bytes(&op, ONNXQ_UINT8, OQ_SHAPE(3, k), 1));
        test_op_input(&op, bytes(&op, ONNXQ_INT8, OQ_SHAPE(k, 4), 2));
        test_op_input(&op, test_op_tensor(&op, ONNXQ_UINT8, OQ_SHAPE(3), (double[]){0, 255, 7}));
        test_op_input(&op, test_op_tensor(&op, ONNXQ_INT8, OQ_SHAPE(4), (double[]){-128, 127, 0, 1}));
        test_op_run(&op, 1);
        for (int64_t i = 0; i < 12; i++) {
            int64_t acc = 0;
            for (int64_t x = 0; x < k; x++) {
                acc += (at(&op, 0, i / 4 * k + x) - at(&op, 2, i / 4)) *
                       (at(&op, 1, x * 4 + i % 4) - at(&op, 3, i % 4));
            }
            ck_assert_int_eq(oq_tensor_get_i64(test_op_output(&op, 0), i), acc);
        }
        test_op_release(&op);
    }
}
END_TEST

typedef struct conv_case {
    int spatial;
    int64_t groups, channels, filters; // per group: channels, filters
    int64_t in[4], kernel[4], stride[4], dilation[4], pads[8], out[4];
} conv_case;

static const conv_case conv_cases[] = {
    {2, 1, 3, 5, {7, 9}, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, {7, 9}},
    {2, 1, 3, 5, {7, 9}, {3, 2}, {2, 3}, {1, 1}, {0, 1, 2, 0}, {4, 3}},
    {2, 2, 3, 4, {8, 8}, {3, 3}, {1, 1}, {2, 2}, {2, 2, 2, 2}, {8, 8}},
    {2, 6, 1, 1, {6, 7}, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, {6, 7}},
    {2, 4, 1, 2, {6, 7}, {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, {3, 4}},
    {2, 1, 8, 16, {5, 5}, {1, 1}, {1, 1}, {1, 1}, {0, 0, 0, 0}, {5, 5}},
    {1, 1, 4, 3, {17}, {5}, {2}, {1}, {3, 2}, {9}},
    {3, 6, 1, 1, {1, 8, 10}, {1, 4, 2}, {1, 1, 2}, {1, 1, 1}, {0}, {1, 5, 5}},
    {2, 6, 1, 1, {8, 10}, {4, 2}, {1, 2}, {1, 1}, {0}, {5, 5}},
    {3, 1, 2, 3, {4, 5, 6}, {2, 3, 2}, {1, 2, 1}, {1, 1, 2}, {1, 0, 1, 0, 1, 1}, {4, 2, 6}},
    {4,
     1,
     2,
     2,
     {3, 3, 2, 3},
     {2, 2, 1, 2},
     {1, 1, 1, 1},
     {1, 1, 1, 1},
     {1, 0, 0, 0, 0, 0, 0, 1},
     {3, 2, 2, 3}},
};

static oq_shape shape_of(const conv_case *c, int64_t first, int64_t second, const int64_t *spatial) {
    oq_shape shape = {.rank = c->spatial + 2, .dim = {first, second}};
    for (int i = 0; i < c->spatial; i++) shape.dim[2 + i] = spatial[i];
    return shape;
}

// sum (x - x_zero) * (w - w_zero) over the window; padding adds nothing.
static int64_t conv_sum(const test_op *op, const conv_case *c, size_t w_input, int64_t image, int64_t filter,
                        const int64_t *place, int64_t x_zero, int64_t w_zero) {
    const oq_shape kernel = shape_of(c, 1, 1, c->kernel);
    const int64_t cells = oq_shape_count(&kernel);
    const int64_t group = filter / c->filters;
    int64_t acc = 0;
    for (int64_t i = 0; i < c->channels * cells; i++) {
        int64_t rest = i % cells;
        int64_t index[4] = {0};
        bool inside = true;
        for (int axis = c->spatial - 1; axis >= 0; axis--) {
            const int64_t cell = rest % c->kernel[axis];
            rest /= c->kernel[axis];
            index[axis] = place[axis] * c->stride[axis] + cell * c->dilation[axis] - c->pads[axis];
            inside = inside && index[axis] >= 0 && index[axis] < c->in[axis];
        }
        if (!inside) continue;
        int64_t offset = image * c->groups * c->channels + group * c->channels + i / cells;
        for (int axis = 0; axis < c->spatial; axis++) offset = offset * c->in[axis] + index[axis];
        acc += (at(op, 0, offset) - x_zero) * (at(op, w_input, filter * c->channels * cells + i) - w_zero);
    }
    return acc;
}

static void conv_attributes(test_op *op, const conv_case *c) {
    test_op_int(op, "group", c->groups);
    test_op_ints(op, "strides", c->stride, (size_t)c->spatial);
    test_op_ints(op, "dilations", c->dilation, (size_t)c->spatial);
    test_op_ints(op, "pads", c->pads, 2 * (size_t)c->spatial);
}

// Visits all outputs [2 images, filters, out...] with their sums; w at input `w_input`.
typedef void (*conv_check)(const test_op *op, int64_t i, int64_t filter, int64_t acc);
static void for_each_output(test_op *op, const conv_case *c, size_t w_input, size_t x_zero, size_t w_zero,
                            conv_check check) {
    const int64_t filters = c->groups * c->filters;
    const oq_shape shape = shape_of(c, 2, filters, c->out);
    ck_assert(oq_shape_equal(&test_op_output(op, 0)->shape, &shape));
    const int64_t places = oq_shape_range_count(&shape, 2, shape.rank);
    for (int64_t i = 0; i < oq_shape_count(&shape); i++) {
        int64_t place[4] = {0};
        int64_t rest = i % places;
        for (int axis = c->spatial - 1; axis >= 0; axis--) {
            place[axis] = rest % c->out[axis];
            rest /= c->out[axis];
        }
        const int64_t filter = i / places % filters;
        const int64_t zero = at(op, w_zero, oq_tensor_count(&op->inputs[w_zero].tensor) == 1 ? 0 : filter);
        check(op, i, filter,
              conv_sum(op, c, w_input, i / (places * filters), filter, place, at(op, x_zero, 0), zero));
    }
}

static void check_requantized(const test_op *op, int64_t i, int64_t filter, int64_t acc) {
    const oq_tensor *y = &op->outputs[0].tensor;
    const int64_t p = oq_tensor_count(&op->inputs[4].tensor) == 1 ? 0 : filter;
    const float multiplier = scale_at(op, 1, 0) * scale_at(op, 4, p) / scale_at(op, 6, 0);
    const int64_t bias = op->node.input_count > 8 ? at(op, 8, filter) : 0;
    const double expected = saturated(acc + bias, multiplier, at(op, 7, 0), y->dtype == ONNXQ_INT8);
    ck_assert_double_eq(oq_tensor_get_f64(y, i), expected);
}

// Nonzero zero points in the padding, scales and zero points per filter, bias, all at once.
START_TEST(convolutions_are_requantized_exactly) {
    for (size_t i = 0; i < 2 * sizeof conv_cases / sizeof conv_cases[0]; i++) {
        const conv_case *c = &conv_cases[i / 2];
        const bool rich = i % 2;
        const int64_t filters = c->groups * c->filters;
        const oq_shape per_filter = rich ? OQ_SHAPE(filters) : (oq_shape){0};
        const oq_dtype x = i % 3 ? ONNXQ_UINT8 : ONNXQ_INT8;
        const oq_dtype w = rich ? ONNXQ_INT8 : ONNXQ_UINT8;
        const double y_scale = 1.1;
        test_op op;
        test_op_init(&op, "QLinearConv", 10);
        conv_attributes(&op, c);
        test_op_input(&op, bytes(&op, x, shape_of(c, 2, c->groups * c->channels, c->in), 1));
        parameters(&op, x, (oq_shape){0}, 2);
        test_op_input(&op, bytes(&op, w, shape_of(c, filters, c->channels, c->kernel), 3));
        parameters(&op, w, per_filter, 4);
        test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, (oq_shape){0}, &y_scale));
        test_op_input(&op, bytes(&op, i % 5 ? ONNXQ_UINT8 : ONNXQ_INT8, (oq_shape){0}, 5));
        if (rich) test_op_input(&op, test_op_random(&op, ONNXQ_INT32, OQ_SHAPE(filters), 6, -5000, 5000));
        test_op_run(&op, 1);
        for_each_output(&op, c, 3, 2, 5, check_requantized);
        test_op_release(&op);
    }
}
END_TEST

static void check_exact(const test_op *op, int64_t i, int64_t filter, int64_t acc) {
    (void)filter;
    ck_assert_int_eq(oq_tensor_get_i64(&op->outputs[0].tensor, i), acc);
}

START_TEST(integer_convolutions_are_exact) {
    for (size_t i = 0; i < 2 * sizeof conv_cases / sizeof conv_cases[0]; i++) {
        const conv_case *c = &conv_cases[i / 2];
        const int64_t filters = c->groups * c->filters;
        test_op op;
        test_op_init(&op, "ConvInteger", 10);
        conv_attributes(&op, c);
        test_op_input(&op, bytes(&op, ONNXQ_UINT8, shape_of(c, 2, c->groups * c->channels, c->in), 1));
        test_op_input(&op, bytes(&op, ONNXQ_INT8, shape_of(c, filters, c->channels, c->kernel), 3));
        test_op_input(&op, bytes(&op, ONNXQ_UINT8, (oq_shape){0}, 4));
        test_op_input(&op, bytes(&op, ONNXQ_INT8, i % 2 ? OQ_SHAPE(filters) : (oq_shape){0}, 5));
        test_op_run(&op, 1);
        for_each_output(&op, c, 1, 2, 3, check_exact);
        test_op_release(&op);
    }
}
END_TEST

// Shapes that do not fit and windows that are too large are errors, not crashes.
START_TEST(hostile_convolutions_are_refused) {
    const oq_shape x = OQ_SHAPE(1, 2, 4, 4);
    const struct {
        oq_shape w;
        int64_t group, stride, pad;
    } cases[] = {{OQ_SHAPE(2, 2, 5, 5), 1, 1, 0},  {OQ_SHAPE(2, 3, 3, 3), 1, 1, 0},
                 {OQ_SHAPE(2, 2, 3), 1, 1, 0},     {OQ_SHAPE(2, 2, 3, 3), 0, 1, 0},
                 {OQ_SHAPE(3, 1, 3, 3), 2, 1, 0},  {OQ_SHAPE(2, 2, 3, 3), 1, 0, 0},
                 {OQ_SHAPE(2, 2, 3, 3), 1, 1, -1}, {OQ_SHAPE(2, 2, 3, 3), INT64_MAX, 1, 0},
                 {OQ_SHAPE(2, 2, 0, 3), 1, 1, 0},  {OQ_SHAPE(2, 2, 3, 3), 1, 1, INT64_MAX}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        test_op op;
        const int64_t stride = cases[i].stride;
        const int64_t pad = cases[i].pad;
        test_op_init(&op, "ConvInteger", 10);
        test_op_int(&op, "group", cases[i].group);
        test_op_ints(&op, "strides", (int64_t[]){stride, stride}, 2);
        test_op_ints(&op, "pads", (int64_t[]){pad, pad, pad, pad}, 4);
        test_op_input(&op, bytes(&op, ONNXQ_UINT8, x, 1));
        test_op_input(&op, bytes(&op, ONNXQ_INT8, cases[i].w, 3));
        ck_assert_int_eq(test_op_try(&op, 1), ONNXQ_BAD_MODEL);
        test_op_release(&op);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("products_8");
    TCase *tcase = tcase_create("products_8");
    tcase_add_test(tcase, matrix_products_of_every_pair_of_types);
    tcase_add_test(tcase, parameters_per_row_and_per_column_at_every_rank);
    tcase_add_test(tcase, integer_products_are_exact_and_empty_ones_are_zero);
    tcase_add_test(tcase, convolutions_are_requantized_exactly);
    tcase_add_test(tcase, integer_convolutions_are_exact);
    tcase_add_test(tcase, hostile_convolutions_are_refused);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
