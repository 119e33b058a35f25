// MatMul, Gemm, Conv, ConvTranspose and Einsum against their formulas in double, for every kind of number.
#include "support/op_context.h"

#include <math.h>

static double at(const test_op *op, size_t input, int64_t i) {
    return oq_tensor_get_f64(&op->inputs[input].tensor, i);
}

static void expect_near(test_op *op, int64_t i, double expected, double tolerance) {
    const double is = oq_tensor_get_f64(test_op_output(op, 0), i);
    ck_assert_msg(fabs(is - expected) <= tolerance * (1 + fabs(expected)),
                  "element %lld: %.9g instead of %.9g", (long long)i, is, expected);
}

static const struct {
    oq_dtype dtype;
    double tolerance; // of a sum of a hundred products
} kinds[] = {{ONNXQ_FLOAT, 1e-5}, {ONNXQ_DOUBLE, 1e-13}, {ONNXQ_FLOAT16, 2e-2}, {ONNXQ_BFLOAT16, 2e-1},
             {ONNXQ_INT32, 0},    {ONNXQ_UINT32, 0},     {ONNXQ_INT64, 0},      {ONNXQ_UINT64, 0}};
#define KINDS (sizeof kinds / sizeof kinds[0])

static oq_tensor numbers(test_op *op, oq_dtype dtype, oq_shape shape, uint64_t seed) {
    const bool is_signed = oq_dtype_info(dtype)->is_float || oq_dtype_info(dtype)->is_signed;
    return test_op_random(op, dtype, shape, seed, is_signed ? -4 : 0, 4);
}

START_TEST(matrix_products_broadcast_like_numpy) {
    static const struct {
        int a_rank, b_rank, y_rank;
        int64_t a[4], b[4], y[4];
    } cases[] = {{2, 2, 2, {5, 70}, {70, 19}, {5, 19}},
                 {1, 1, 0, {9}, {9}, {0}},
                 {1, 2, 1, {9}, {9, 4}, {4}},
                 {2, 1, 1, {3, 9}, {9}, {3}},
                 {3, 2, 3, {2, 3, 7}, {7, 5}, {2, 3, 5}},
                 {3, 1, 2, {2, 3, 7}, {7}, {2, 3}},
                 {4, 4, 4, {2, 1, 3, 7}, {1, 4, 7, 5}, {2, 4, 3, 5}},
                 {2, 3, 3, {3, 7}, {4, 7, 5}, {4, 3, 5}},
                 {1, 3, 2, {7}, {4, 7, 5}, {4, 5}},
                 {2, 2, 2, {3, 0}, {0, 2}, {3, 2}},
                 {3, 3, 3, {0, 3, 2}, {1, 2, 2}, {0, 3, 2}}};
    for (size_t i = 0; i < KINDS * sizeof cases / sizeof cases[0]; i++) {
        const size_t c = i / KINDS;
        const size_t kind = i % KINDS;
        const oq_shape a = oq_shape_of(cases[c].a_rank, cases[c].a);
        const oq_shape b = oq_shape_of(cases[c].b_rank, cases[c].b);
        const oq_shape y = oq_shape_of(cases[c].y_rank, cases[c].y);
        test_op op;
        test_op_init(&op, "MatMul", 13);
        test_op_input(&op, numbers(&op, kinds[kind].dtype, a, 1));
        test_op_input(&op, numbers(&op, kinds[kind].dtype, b, 2));
        test_op_run(&op, 1);
        ck_assert(oq_shape_equal(&test_op_output(&op, 0)->shape, &y));
        const int64_t m = a.rank > 1 ? a.dim[a.rank - 2] : 1;
        const int64_t k = a.dim[a.rank - 1];
        const int64_t n = b.rank > 1 ? b.dim[b.rank - 1] : 1;
        for (int64_t e = 0; e < oq_shape_count(&y); e++) {
            // The only case with batches of both sides is [2, 1] against [1, 4].
            const int64_t batch = e / (m * n);
            const int64_t ab = c == 6 ? batch / 4 : a.rank > 2 ? batch : 0;
            const int64_t bb = c == 6 ? batch % 4 : b.rank > 2 ? batch : 0;
            double sum = 0;
            for (int64_t x = 0; x < k; x++) {
                sum += at(&op, 0, (ab * m + e / n % m) * k + x) * at(&op, 1, (bb * k + x) * n + e % n);
            }
            expect_near(&op, e, sum, kinds[kind].tolerance);
        }
        test_op_release(&op);
    }
}
END_TEST

START_TEST(gemm_has_all_its_forms) {
    static const int64_t c_shapes[][2] = {{0, 0}, {0, 7}, {1, 7}, {5, 1}, {5, 7}, {1, 1}, {-1, -1}};
    for (size_t i = 0; i < 4 * KINDS * sizeof c_shapes / sizeof c_shapes[0]; i++) {
        const bool ta = i & 1;
        const bool tb = i >> 1 & 1;
        const size_t kind = i / 4 % KINDS;
        const int64_t *c = c_shapes[i / 4 / KINDS];
        const bool whole = oq_dtype_info(kinds[kind].dtype)->is_integer;
        const float alpha = whole ? 2 : 0.75F;
        const float beta = whole ? 3 : -1.5F;
        test_op op;
        test_op_init(&op, "Gemm", 13);
        test_op_int(&op, "transA", ta);
        test_op_int(&op, "transB", tb);
        test_op_float(&op, "alpha", alpha);
        test_op_float(&op, "beta", beta);
        test_op_input(&op, numbers(&op, kinds[kind].dtype, ta ? OQ_SHAPE(9, 5) : OQ_SHAPE(5, 9), 1));
        test_op_input(&op, numbers(&op, kinds[kind].dtype, tb ? OQ_SHAPE(7, 9) : OQ_SHAPE(9, 7), 2));
        const oq_shape shape = c[1] == 0 ? (oq_shape){0} : c[0] == 0 ? OQ_SHAPE(c[1]) : OQ_SHAPE(c[0], c[1]);
        if (c[0] >= 0) test_op_input(&op, numbers(&op, kinds[kind].dtype, shape, 3));
        test_op_run(&op, 1);
        for (int64_t e = 0; e < 35; e++) {
            const int64_t row = e / 7;
            const int64_t column = e % 7;
            double sum = 0;
            for (int64_t x = 0; x < 9; x++) {
                sum += at(&op, 0, ta ? x * 5 + row : row * 9 + x) *
                       at(&op, 1, tb ? column * 9 + x : x * 7 + column);
            }
            double add = 0;
            if (c[0] >= 0) {
                const int64_t width = shape.rank ? shape.dim[shape.rank - 1] : 1;
                const int64_t height = shape.rank == 2 ? shape.dim[0] : 1;
                add = at(&op, 2, (height > 1 ? row * width : 0) + (width > 1 ? column : 0));
            }
            expect_near(&op, e, (double)alpha * sum + (double)beta * add, kinds[kind].tolerance);
        }
        test_op_release(&op);
    }
}
END_TEST

typedef struct conv_case {
    int spatial;
    int64_t groups, channels, filters; // per group
    int64_t in[4], kernel[4], stride[4], dilation[4], pads[8], out[4];
} conv_case;

static const conv_case conv_cases[] = {
    {2, 1, 3, 5, {7, 9}, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, {7, 9}},
    {2, 1, 3, 5, {7, 9}, {3, 2}, {2, 3}, {1, 1}, {0, 1, 2, 0}, {4, 3}},
    {2, 2, 3, 4, {8, 8}, {3, 3}, {1, 1}, {2, 2}, {2, 2, 2, 2}, {8, 8}},
    {2, 6, 1, 1, {6, 7}, {3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, {6, 7}},
    {2, 4, 1, 2, {6, 7}, {3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}, {3, 4}},
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
#define CONV_CASES (sizeof conv_cases / sizeof conv_cases[0])

static oq_shape shape_of(const conv_case *c, int64_t first, int64_t second, const int64_t *spatial) {
    oq_shape shape = {.rank = c->spatial + 2, .dim = {first, second}};
    for (int i = 0; i < c->spatial; i++) shape.dim[2 + i] = spatial[i];
    return shape;
}

// Calls visit for every pair of an element of x [2, groups * channels, in...] and one of y [2, groups *
// filters, out...] that one element of w [groups * filters, channels, kernel...] connects.
typedef void (*connect)(void *self, int64_t x, int64_t w, int64_t y);
static void connections(const conv_case *c, connect visit, void *self) {
    const oq_shape y = shape_of(c, 2, c->groups * c->filters, c->out);
    const oq_shape patch = shape_of(c, 1, c->channels, c->kernel);
    for (int64_t i = 0; i < oq_shape_count(&y) * oq_shape_count(&patch); i++) {
        const int64_t to = i / oq_shape_count(&patch);
        const int64_t cell = i % oq_shape_count(&patch);
        int64_t place = to;
        int64_t at_cell = cell;
        int64_t index[4] = {0};
        bool inside = true;
        for (int axis = c->spatial - 1; axis >= 0; axis--) {
            index[axis] = place % c->out[axis] * c->stride[axis] +
                          at_cell % c->kernel[axis] * c->dilation[axis] - c->pads[axis];
            inside = inside && index[axis] >= 0 && index[axis] < c->in[axis];
            place /= c->out[axis];
            at_cell /= c->kernel[axis];
        }
        if (!inside) continue;
        const int64_t filter = place % (c->groups * c->filters);
        int64_t from =
            (place / (c->groups * c->filters) * c->groups + filter / c->filters) * c->channels + at_cell;
        for (int axis = 0; axis < c->spatial; axis++) from = from * c->in[axis] + index[axis];
        visit(self, from, filter * oq_shape_count(&patch) + cell, to);
    }
}

typedef struct sums {
    const test_op *op;
    double *out;
} sums;
static void forward(void *self, int64_t x, int64_t w, int64_t y) {
    const sums *s = self;
    s->out[y] += at(s->op, 0, x) * at(s->op, 1, w);
}
// The transposed convolution takes our y as its input and gives our x.
static void backward(void *self, int64_t x, int64_t w, int64_t y) {
    const sums *s = self;
    s->out[x] += at(s->op, 0, y) * at(s->op, 1, w);
}

static void conv_attributes(test_op *op, const conv_case *c) {
    test_op_int(op, "group", c->groups);
    test_op_ints(op, "strides", c->stride, (size_t)c->spatial);
    test_op_ints(op, "dilations", c->dilation, (size_t)c->spatial);
    test_op_ints(op, "pads", c->pads, 2 * (size_t)c->spatial);
}

START_TEST(convolutions_connect_what_they_should) {
    for (size_t i = 0; i < 4 * CONV_CASES; i++) {
        const conv_case *c = &conv_cases[i / 4];
        const oq_dtype dtype = kinds[i % 4].dtype;
        const int64_t filters = c->groups * c->filters;
        const oq_shape shape = shape_of(c, 2, filters, c->out);
        double expected[4096] = {0};
        test_op op;
        test_op_init(&op, "Conv", 22);
        conv_attributes(&op, c);
        test_op_input(&op, numbers(&op, dtype, shape_of(c, 2, c->groups * c->channels, c->in), 1));
        test_op_input(&op, numbers(&op, dtype, shape_of(c, filters, c->channels, c->kernel), 2));
        test_op_input(&op, numbers(&op, dtype, OQ_SHAPE(filters), 3));
        test_op_run(&op, 1);
        ck_assert(oq_shape_equal(&test_op_output(&op, 0)->shape, &shape));
        connections(c, forward, &(sums){.op = &op, .out = expected});
        const int64_t places = oq_shape_range_count(&shape, 2, shape.rank);
        for (int64_t e = 0; e < oq_shape_count(&shape); e++) {
            expect_near(&op, e, expected[e] + at(&op, 2, e / places % filters), kinds[i % 4].tolerance);
        }
        test_op_release(&op);
    }
}
END_TEST

// ConvTranspose sends everything back along the connections of the convolution with the same attributes. Its
// weight is [channels of its input, filters of its output / groups, kernel...], which is w as it is.
START_TEST(transposed_convolutions_go_the_same_ways_back) {
    for (size_t i = 0; i < 4 * CONV_CASES; i++) {
        const conv_case *c = &conv_cases[i / 4];
        const oq_dtype dtype = kinds[i % 4].dtype;
        const int64_t channels = c->groups * c->channels;
        const oq_shape shape = shape_of(c, 2, channels, c->in);
        double expected[4096] = {0};
        test_op op;
        test_op_init(&op, "ConvTranspose", 22);
        conv_attributes(&op, c);
        int64_t extra[4];
        for (int axis = 0; axis < c->spatial; axis++) {
            extra[axis] = c->in[axis] -
                          ((c->out[axis] - 1) * c->stride[axis] + (c->kernel[axis] - 1) * c->dilation[axis] +
                           1 - c->pads[axis] - c->pads[c->spatial + axis]);
        }
        test_op_ints(&op, "output_padding", extra, (size_t)c->spatial);
        test_op_input(&op, numbers(&op, dtype, shape_of(c, 2, c->groups * c->filters, c->out), 1));
        test_op_input(&op,
                      numbers(&op, dtype, shape_of(c, c->groups * c->filters, c->channels, c->kernel), 2));
        test_op_input(&op, numbers(&op, dtype, OQ_SHAPE(channels), 3));
        test_op_run(&op, 1);
        ck_assert(oq_shape_equal(&test_op_output(&op, 0)->shape, &shape));
        connections(c, backward, &(sums){.op = &op, .out = expected});
        const int64_t places = oq_shape_range_count(&shape, 2, shape.rank);
        for (int64_t e = 0; e < oq_shape_count(&shape); e++) {
            expect_near(&op, e, expected[e] + at(&op, 2, e / places % channels), kinds[i % 4].tolerance);
        }
        test_op_release(&op);
    }
}
END_TEST

// SAME keeps ceil(in / stride), UPPER puts the odd cell behind, LOWER before; VALID has no padding.
START_TEST(auto_pad_places_the_window) {
    static const struct {
        const char *mode;
        int64_t out;
        double first, last;
    } cases[] = {{"SAME_UPPER", 3, 1 + 2 + 3, 5 + 6},
                 {"SAME_LOWER", 3, 1 + 2, 4 + 5 + 6},
                 {"VALID", 2, 1 + 2 + 3, 3 + 4 + 5}};
    for (size_t i = 0; i < 3; i++) {
        test_op op;
        test_op_init(&op, "Conv", 11);
        test_op_string(&op, "auto_pad", cases[i].mode);
        test_op_ints(&op, "strides", (int64_t[]){2}, 1);
        test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(1, 1, 6), (double[]){1, 2, 3, 4, 5, 6}));
        test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(1, 1, 3), (double[]){1, 1, 1}));
        test_op_run(&op, 1);
        ck_assert_int_eq(test_op_output(&op, 0)->shape.dim[2], cases[i].out);
        expect_near(&op, 0, cases[i].first, 0);
        expect_near(&op, cases[i].out - 1, cases[i].last, 0);
        test_op_release(&op);
    }
}
END_TEST

static void einsum(test_op *op, const char *equation, oq_dtype dtype, oq_shape a, oq_shape b) {
    test_op_init(op, "Einsum", 12);
    test_op_string(op, "equation", equation);
    test_op_input(op, numbers(op, dtype, a, 1));
    if (b.rank) test_op_input(op, numbers(op, dtype, b, 2));
    test_op_run(op, 1);
}

START_TEST(einsum_reads_its_equations) {
    static const oq_dtype types[] = {ONNXQ_FLOAT, ONNXQ_DOUBLE, ONNXQ_INT64, ONNXQ_UINT64};
    for (size_t t = 0; t < 4; t++) {
        test_op op;
        einsum(&op, "ij->ji", types[t], OQ_SHAPE(2, 3), (oq_shape){0});
        for (int64_t i = 0; i < 6; i++) expect_near(&op, i, at(&op, 0, i % 2 * 3 + i / 2), 0);
        test_op_release(&op);
        einsum(&op, "...ii->...i", types[t], OQ_SHAPE(2, 3, 3), (oq_shape){0});
        for (int64_t i = 0; i < 6; i++) expect_near(&op, i, at(&op, 0, i / 3 * 9 + i % 3 * 4), 0);
        test_op_release(&op);
        einsum(&op, "ij", types[t], OQ_SHAPE(2, 2), (oq_shape){0}); // implicit: as it is
        for (int64_t i = 0; i < 4; i++) expect_near(&op, i, at(&op, 0, i), 0);
        test_op_release(&op);
        einsum(&op, "ij -> ", types[t], OQ_SHAPE(2, 2), (oq_shape){0});
        expect_near(&op, 0, at(&op, 0, 0) + at(&op, 0, 1) + at(&op, 0, 2) + at(&op, 0, 3), 1e-6);
        test_op_release(&op);
        einsum(&op, "bik,bkj->bji", types[t], OQ_SHAPE(2, 3, 4), OQ_SHAPE(2, 4, 5));
        for (int64_t i = 0; i < 30; i++) {
            double sum = 0;
            for (int64_t k = 0; k < 4; k++) {
                sum +=
                    at(&op, 0, (i / 15 * 3 + i % 3) * 4 + k) * at(&op, 1, (i / 15 * 4 + k) * 5 + i / 3 % 5);
            }
            expect_near(&op, i, sum, 1e-5);
        }
        test_op_release(&op);
    }
}
END_TEST

START_TEST(bad_equations_and_shapes_are_refused) {
    static const char *const equations[] = {"ij,jk", "ijk->i",  "ij->ik",  "ij->ii",
                                            "i$->i", "..ij->i", "ij->ij,", ""};
    for (size_t i = 0; i < sizeof equations / sizeof equations[0]; i++) {
        test_op op;
        test_op_init(&op, "Einsum", 12);
        test_op_string(&op, "equation", equations[i]);
        test_op_input(&op, numbers(&op, ONNXQ_FLOAT, OQ_SHAPE(2, 2), 1));
        ck_assert_int_eq(test_op_try(&op, 1), ONNXQ_BAD_MODEL);
        test_op_release(&op);
    }
    const oq_shape wrong[][2] = {{OQ_SHAPE(2, 3), OQ_SHAPE(2, 3)},
                                 {(oq_shape){0}, OQ_SHAPE(2)},
                                 {OQ_SHAPE(2, 1, 3), OQ_SHAPE(3, 3, 1)}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        test_op op;
        test_op_init(&op, "MatMul", 13);
        test_op_input(&op, numbers(&op, ONNXQ_FLOAT, wrong[i][0], 1));
        test_op_input(&op, numbers(&op, ONNXQ_FLOAT, wrong[i][1], 1));
        ck_assert_int_eq(test_op_try(&op, 1), ONNXQ_BAD_MODEL);
        test_op_release(&op);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("products");
    TCase *tcase = tcase_create("products");
    tcase_add_test(tcase, matrix_products_broadcast_like_numpy);
    tcase_add_test(tcase, gemm_has_all_its_forms);
    tcase_add_test(tcase, convolutions_connect_what_they_should);
    tcase_add_test(tcase, transposed_convolutions_go_the_same_ways_back);
    tcase_add_test(tcase, auto_pad_places_the_window);
    tcase_add_test(tcase, einsum_reads_its_equations);
    tcase_add_test(tcase, bad_equations_and_shapes_are_refused);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
