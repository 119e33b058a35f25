// Reductions, softmax, running sums and positions of extremes: against plain double loops over indices.
#include "support/op_context.h"

#include <math.h>
#include <string.h>

typedef struct reduce_case {
    const char *name;
    double start;
    double (*step)(double acc, double x);
    double (*end)(double acc, double count);
} reduce_case;

static double step_sum(double acc, double x) { return acc + x; }
static double step_l1(double acc, double x) { return acc + fabs(x); }
static double step_square(double acc, double x) { return acc + x * x; }
static double step_product(double acc, double x) { return acc * x; }
static double step_max(double acc, double x) { return fmax(acc, x); }
static double step_min(double acc, double x) { return fmin(acc, x); }
static double step_exp(double acc, double x) { return acc + exp(x); }
static double end_same(double acc, double count) { return (void)count, acc; }
static double end_mean(double acc, double count) { return acc / count; }
static double end_root(double acc, double count) { return (void)count, sqrt(acc); }
static double end_log(double acc, double count) { return (void)count, log(acc); }

static const reduce_case cases[] = {{"ReduceSum", 0, step_sum, end_same},
                                    {"ReduceMean", 0, step_sum, end_mean},
                                    {"ReduceMax", -(double)INFINITY, step_max, end_same},
                                    {"ReduceMin", (double)INFINITY, step_min, end_same},
                                    {"ReduceProd", 1, step_product, end_same},
                                    {"ReduceL1", 0, step_l1, end_same},
                                    {"ReduceL2", 0, step_square, end_root},
                                    {"ReduceSumSquare", 0, step_square, end_same},
                                    {"ReduceLogSum", 0, step_sum, end_log},
                                    {"ReduceLogSumExp", 0, step_exp, end_log}};

// The double oracle: every element goes to the output whose index it has on the kept axes.
static void oracle(const reduce_case *c, const oq_tensor *x, const bool *marked, double *y, int64_t outputs) {
    for (int64_t i = 0; i < outputs; i++) y[i] = c->start;
    double count = 1;
    for (int axis = 0; axis < x->shape.rank; axis++)
        if (marked[axis]) count *= (double)x->shape.dim[axis];
    for (int64_t i = 0; i < oq_tensor_count(x); i++) {
        int64_t rest = i, at = 0, step = 1;
        for (int axis = x->shape.rank - 1; axis >= 0; axis--) {
            if (!marked[axis]) {
                at += rest % x->shape.dim[axis] * step;
                step *= x->shape.dim[axis];
            }
            rest /= x->shape.dim[axis];
        }
        y[at] = c->step(y[at], oq_tensor_get_f64(x, i));
    }
    for (int64_t i = 0; i < outputs; i++) y[i] = c->end(y[i], count);
}

START_TEST(reduces_like_double) {
    const reduce_case *c = &cases[_i];
    static const oq_dtype dtypes[] = {ONNXQ_FLOAT, ONNXQ_DOUBLE, ONNXQ_FLOAT16};
    static const double tolerances[] = {2e-5, 1e-12, 2e-2};
    const oq_shape shape = OQ_SHAPE(3, 2, 5, 7);
    for (int mask = 0; mask < 16; mask++)
        for (int d = 0; d < 3; d++) {
            test_op op;
            int64_t axes[4], count = 0;
            bool marked[4];
            oq_shape out = {0};
            for (int axis = 0; axis < 4; axis++) {
                marked[axis] = !mask || mask >> axis & 1; // none given: all
                if (mask >> axis & 1) axes[count++] = axis % 2 ? axis - 4 : axis;
                if (!marked[axis] || mask % 3 == 0) out.dim[out.rank++] = marked[axis] ? 1 : shape.dim[axis];
            }
            test_op_init(&op, c->name, 20);
            test_op_int(&op, "keepdims", mask % 3 == 0);
            test_op_input(&op, test_op_random(&op, dtypes[d], shape, 5, 0.5, 1.5));
            if (mask) test_op_input(&op, test_op_tensor_raw(&op, ONNXQ_INT64, OQ_SHAPE(count), axes));
            test_op_run(&op, 1);
            double y[210];
            oracle(c, &op.inputs[0].tensor, marked, y, oq_shape_count(&out));
            double greatest = 1;
            for (int64_t i = 0; i < oq_shape_count(&out); i++) greatest = fmax(greatest, fabs(y[i]));
            test_op_expect(&op, 0, dtypes[d], out, y, tolerances[d] * greatest);
            test_op_release(&op);
        }
}
END_TEST

START_TEST(long_runs_and_outer_axes) {
    test_op op;
    static const int64_t axes[] = {0};
    test_op_init(&op, "ReduceSum", 11);
    test_op_ints(&op, "axes", axes, 1);
    test_op_int(&op, "keepdims", 0);
    const oq_shape shape = OQ_SHAPE(1000, 700);
    oq_tensor x = test_op_random(&op, ONNXQ_FLOAT, shape, 9, -1, 1);
    test_op_input(&op, x);
    test_op_run(&op, 1);
    for (int64_t j = 0; j < 700; j += 23) {
        float sum = ((const float *)x.data)[j]; // one after the other, exactly
        for (int64_t i = 1; i < 1000; i++) sum += ((const float *)x.data)[i * 700 + j];
        ck_assert_float_eq(((const float *)test_op_output(&op, 0)->data)[j], sum);
    }
    test_op_release(&op);
}
END_TEST

START_TEST(over_nothing) {
    const reduce_case *c = &cases[_i];
    static const int64_t axes[] = {1};
    test_op op;
    test_op_init(&op, c->name, 20);
    test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(2, 0, 2), 1, 0, 1));
    test_op_input(&op, test_op_tensor_raw(&op, ONNXQ_INT64, OQ_SHAPE(1), axes));
    test_op_run(&op, 1);
    const double one = c->end(c->start, 0);
    test_op_expect(&op, 0, ONNXQ_FLOAT, OQ_SHAPE(2, 1, 2), (double[]){one, one, one, one}, 0);
    test_op_release(&op);
    test_op_init(&op, c->name, 20); // no axes: the steps around the reduction only
    test_op_int(&op, "noop_with_empty_axes", 1);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_DOUBLE, OQ_SHAPE(1, 2), (double[]){1, 2}));
    test_op_run(&op, 1);
    const double y[] = {c->end(c->step(c->start, 1), 1), c->end(c->step(c->start, 2), 1)};
    test_op_expect(&op, 0, ONNXQ_DOUBLE, OQ_SHAPE(1, 2), y, 1e-15);
    test_op_release(&op);
}
END_TEST

START_TEST(integers_and_bool) {
    test_op op;
    test_op_init(&op, "ReduceMax", 20);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_BOOL, OQ_SHAPE(3), (double[]){0, 1, 0}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_BOOL, OQ_SHAPE(1), (double[]){1}, 0);
    test_op_release(&op);
    test_op_init(&op, "ReduceMin", 18);
    test_op_input(&op, test_op_random(&op, ONNXQ_INT8, OQ_SHAPE(0), 1, 0, 1));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_INT8, OQ_SHAPE(1), (double[]){127}, 0);
    test_op_release(&op);
    test_op_init(&op, "ReduceMean", 18);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_INT32, OQ_SHAPE(2), (double[]){-3, -4}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_INT32, OQ_SHAPE(1), (double[]){-3}, 0);
    test_op_release(&op);
    test_op_init(&op, "ReduceL2", 18);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_INT64, OQ_SHAPE(2), (double[]){3, 4}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_INT64, OQ_SHAPE(1), (double[]){5}, 0);
    test_op_release(&op);
}
END_TEST

START_TEST(axes_out_of_range_are_errors) {
    static const int64_t axes[] = {2};
    test_op op;
    test_op_init(&op, "ReduceSum", 13);
    test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(2, 2), 1, 0, 1));
    test_op_input(&op, test_op_tensor_raw(&op, ONNXQ_INT64, OQ_SHAPE(1), axes));
    ck_assert_int_eq(test_op_try(&op, 1), ONNXQ_BAD_MODEL);
    test_op_release(&op);
    test_op_init(&op, "Softmax", 13);
    test_op_int(&op, "axis", -3);
    test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(2, 2), 1, 0, 1));
    ck_assert_int_eq(test_op_try(&op, 1), ONNXQ_BAD_MODEL);
    test_op_release(&op);
    test_op_init(&op, "ArgMax", 13);
    test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(0, 2), 1, 0, 1));
    ck_assert_int_eq(test_op_try(&op, 1), ONNXQ_BAD_DATA);
    test_op_release(&op);
}
END_TEST

// Sums to 1 along the axis, and equals exp(x) / sum(exp(x)) in double; LogSoftmax is its logarithm.
START_TEST(softmax_is_a_distribution) {
    static const oq_dtype dtypes[] = {ONNXQ_FLOAT, ONNXQ_DOUBLE, ONNXQ_FLOAT16};
    const oq_shape shape = OQ_SHAPE(3, 20, 30);
    for (int axis = 0; axis < 3; axis++)
        for (int d = 0; d < 3; d++) {
            test_op soft, logarithm;
            test_op *ops[2] = {&soft, &logarithm};
            for (int k = 0; k < 2; k++) {
                test_op_init(ops[k], k ? "LogSoftmax" : "Softmax", 13);
                test_op_int(ops[k], "axis", axis);
                test_op_input(ops[k], test_op_random(ops[k], dtypes[d], shape, 4, -900, 900));
                test_op_run(ops[k], 1);
            }
            const int64_t inner = oq_shape_range_count(&shape, axis + 1, 3), n = shape.dim[axis];
            const double tolerance = dtypes[d] == ONNXQ_FLOAT16 ? 1e-3 : 1e-6;
            for (int64_t first = 0; first < 1800; first++) {
                if (first / inner % n) continue;
                double sum = 0, greatest = -(double)INFINITY, total = 0;
                for (int64_t k = 0; k < n; k++)
                    greatest = fmax(greatest, oq_tensor_get_f64(&soft.inputs[0].tensor, first + k * inner));
                for (int64_t k = 0; k < n; k++)
                    sum += exp(oq_tensor_get_f64(&soft.inputs[0].tensor, first + k * inner) - greatest);
                for (int64_t k = 0; k < n; k++) {
                    const double x = oq_tensor_get_f64(&soft.inputs[0].tensor, first + k * inner);
                    const double y = oq_tensor_get_f64(test_op_output(&soft, 0), first + k * inner);
                    const double l = oq_tensor_get_f64(test_op_output(&logarithm, 0), first + k * inner);
                    total += y;
                    ck_assert_double_eq_tol(y, exp(x - greatest) / sum, tolerance);
                    ck_assert_double_eq_tol(l, x - greatest - log(sum), tolerance * 1000);
                }
                ck_assert_double_eq_tol(total, 1, tolerance * 8);
            }
            test_op_release(&soft);
            test_op_release(&logarithm);
        }
}
END_TEST

// Before opset 13 the axes from `axis` on are one; Hardmax marks the first greatest.
START_TEST(old_softmax_flattens) {
    test_op op;
    test_op_init(&op, "Softmax", 11);
    test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(2, 3, 4), 4, -1, 1));
    test_op_run(&op, 1);
    for (int64_t row = 0; row < 2; row++) {
        double sum = 0;
        for (int64_t i = 0; i < 12; i++) sum += oq_tensor_get_f64(test_op_output(&op, 0), row * 12 + i);
        ck_assert_double_eq_tol(sum, 1, 1e-6);
    }
    test_op_release(&op);
    for (int64_t axis = 0; axis < 2; axis++) {
        test_op_init(&op, "Hardmax", 13);
        test_op_int(&op, "axis", axis);
        test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(2, 3), (double[]){1, 3, 3, 2, 3, 1}));
        test_op_run(&op, 1);
        const double rows[] = {0, 1, 0, 0, 1, 0}, columns[] = {0, 1, 1, 1, 0, 0};
        test_op_expect(&op, 0, ONNXQ_FLOAT, OQ_SHAPE(2, 3), axis ? rows : columns, 0);
        test_op_release(&op);
    }
}
END_TEST

START_TEST(positions_of_extremes) {
    static const struct {
        const char *name;
        int64_t last;
        double y[2];
    } table[] = {{"ArgMax", 0, {1, 0}}, {"ArgMax", 1, {2, 2}}, {"ArgMin", 0, {0, 0}}, {"ArgMin", 1, {0, 2}}};
    for (size_t k = 0; k < 4; k++)
        for (int transposed = 0; transposed < 2; transposed++) {
            test_op op;
            test_op_init(&op, table[k].name, 13);
            test_op_int(&op, "axis", transposed ? 0 : -1);
            test_op_int(&op, "keepdims", 0);
            test_op_int(&op, "select_last_index", table[k].last);
            test_op_input(
                &op, transposed
                         ? test_op_tensor(&op, ONNXQ_INT8, OQ_SHAPE(3, 2), (double[]){1, 5, 3, 5, 3, 5})
                         : test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(2, 3), (double[]){1, 3, 3, 5, 5, 5}));
            test_op_run(&op, 1);
            test_op_expect(&op, 0, ONNXQ_INT64, OQ_SHAPE(2), table[k].y, 0);
            test_op_release(&op);
        }
    test_op op; // the first NaN
    test_op_init(&op, "ArgMin", 13);
    test_op_input(&op,
                  test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(4), (double[]){1, (double)NAN, 0, (double)NAN}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_INT64, OQ_SHAPE(1), (double[]){1}, 0);
    test_op_release(&op);
}
END_TEST

START_TEST(running_sums) {
    static const struct {
        int64_t exclusive, reverse;
        double y[4];
    } table[] = {{0, 0, {1, 3, 6, 10}}, {1, 0, {0, 1, 3, 6}}, {0, 1, {10, 9, 7, 4}}, {1, 1, {9, 7, 4, 0}}};
    for (size_t k = 0; k < 4; k++)
        for (int reuse = 0; reuse < 2; reuse++) {
            test_op op;
            test_op_init(&op, "CumSum", 14);
            test_op_int(&op, "exclusive", table[k].exclusive);
            test_op_int(&op, "reverse", table[k].reverse);
            test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(4), (double[]){1, 2, 3, 4}));
            test_op_input(&op, test_op_tensor(&op, ONNXQ_INT32, (oq_shape){0}, (double[]){-1}));
            op.dies[0] = reuse;
            test_op_run(&op, 1);
            test_op_expect(&op, 0, ONNXQ_FLOAT, OQ_SHAPE(4), table[k].y, 0);
            test_op_release(&op);
        }
    test_op op;
    test_op_init(&op, "CumProd", 26);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_INT64, OQ_SHAPE(2, 2), (double[]){2, 3, 4, 5}));
    test_op_input(&op, test_op_tensor(&op, ONNXQ_INT64, OQ_SHAPE(1), (double[]){0}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_INT64, OQ_SHAPE(2, 2), (double[]){2, 3, 8, 15}, 0);
    test_op_release(&op);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ops/reduce");
    TCase *tcase = tcase_create("reduce");
    tcase_add_loop_test(tcase, reduces_like_double, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_loop_test(tcase, over_nothing, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(tcase, long_runs_and_outer_axes);
    tcase_add_test(tcase, integers_and_bool);
    tcase_add_test(tcase, axes_out_of_range_are_errors);
    tcase_add_test(tcase, softmax_is_a_distribution);
    tcase_add_test(tcase, old_softmax_flattens);
    tcase_add_test(tcase, positions_of_extremes);
    tcase_add_test(tcase, running_sums);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
