// Elementwise operators of two and more inputs: broadcasting equals explicit expansion, integers are defined
// everywhere, memory of dying inputs may be reused.
#include "support/op_context.h"

#include <math.h>
#include <string.h>

static uint64_t state = 1;

static int64_t draw(int64_t below) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((state >> 33) % (uint64_t)below);
}

// A random shape, and a second one that broadcasts with it (fewer axes, some of size 1).
static void draw_shapes(oq_shape *a, oq_shape *b) {
    static const int64_t sizes[] = {1, 2, 3, 5, 7, 33};
    a->rank = (int)draw(4);
    for (int i = 0; i < a->rank; i++) a->dim[i] = sizes[draw(6)];
    const int drop = a->rank ? (int)draw(a->rank + 1) : 0;
    b->rank = a->rank - drop;
    for (int i = 0; i < b->rank; i++) b->dim[i] = draw(3) ? a->dim[i + drop] : 1;
    for (int i = 0; i < b->rank; i++) // now and then the first one is the broadcast one
        if (!draw(5)) a->dim[i + drop] = 1;
}

// The element of `t` that belongs to element `index` of a tensor of shape `out`.
static double broadcast_element(const oq_tensor *t, const oq_shape *out, int64_t index) {
    int64_t at = 0, step = 1;
    for (int axis = out->rank - 1; axis >= 0; axis--) {
        const int64_t i = index % out->dim[axis];
        index /= out->dim[axis];
        const int own = axis - (out->rank - t->shape.rank);
        if (own < 0) continue;
        if (t->shape.dim[own] != 1) at += i * step;
        step *= t->shape.dim[own];
    }
    return oq_tensor_get_f64(t, at);
}

typedef struct binary_case {
    const char *name;
    double (*f)(double a, double b);
} binary_case;

static double add(double a, double b) { return a + b; }
static double subtract(double a, double b) { return a - b; }
static double multiply(double a, double b) { return a * b; }
static double greater(double a, double b) { return a > b; }
static double less_or_equal(double a, double b) { return a <= b; }
static double largest(double a, double b) { return fmax(a, b); }
static const binary_case cases[] = {{"Add", add},         {"Sub", subtract}, {"Mul", multiply},
                                    {"Greater", greater}, {"Max", largest},  {"LessOrEqual", less_or_equal}};
static const oq_dtype dtypes[] = {ONNXQ_FLOAT, ONNXQ_DOUBLE, ONNXQ_INT32, ONNXQ_UINT8, ONNXQ_FLOAT16};

// Small integers as values, so that the sums and products are exact in every one of the types.
START_TEST(broadcasting_is_expansion) {
    const binary_case *c = &cases[_i];
    for (int round = 0; round < 60; round++) {
        test_op op;
        oq_shape a, b, out;
        oq_error err = {0};
        const oq_dtype dtype = dtypes[round % 5];
        draw_shapes(&a, &b);
        test_op_init(&op, c->name, 16);
        test_op_input(&op, test_op_random(&op, dtype, a, state, 6, 14));
        test_op_input(&op, test_op_random(&op, dtype, b, state + 7, 0, 6));
        for (size_t k = 0; k < 2; k++) { // whole numbers
            oq_tensor *t = &op.inputs[k].tensor;
            for (int64_t i = 0; i < oq_tensor_count(t); i++) {
                const double whole = floor(oq_tensor_get_f64(t, i));
                const int64_t integer = (int64_t)whole;
                void *into = (unsigned char *)t->data + (size_t)i * oq_dtype_bytes(dtype);
                if (oq_dtype_info(dtype)->is_integer)
                    oq_store_i64(dtype, &integer, into, 1);
                else
                    oq_store_f64(dtype, &whole, into, 1);
            }
        }
        test_op_run(&op, 1);
        CK_OK(oq_shape_broadcast(&a, &b, &out, &err), &err);
        const oq_tensor *y = test_op_output(&op, 0);
        ck_assert(oq_shape_equal(&y->shape, &out));
        for (int64_t i = 0; i < oq_shape_count(&out); i++) {
            const double should = c->f(broadcast_element(&op.inputs[0].tensor, &out, i),
                                       broadcast_element(&op.inputs[1].tensor, &out, i));
            ck_assert_double_eq(oq_tensor_get_f64(y, i), should);
        }
        test_op_release(&op);
    }
}
END_TEST

START_TEST(reused_memory_gives_the_same) {
    for (int which = 0; which < 2; which++) {
        test_op plain, reused;
        test_op *ops[2] = {&plain, &reused};
        const oq_shape big = OQ_SHAPE(4, 5, 70), small = OQ_SHAPE(5, 1);
        for (int k = 0; k < 2; k++) {
            test_op_init(ops[k], "Sub", 14);
            test_op_input(ops[k], test_op_random(ops[k], ONNXQ_FLOAT, which ? small : big, 3, -4, 4));
            test_op_input(ops[k], test_op_random(ops[k], ONNXQ_FLOAT, which ? big : small, 5, -4, 4));
        }
        const void *memory = reused.inputs[which].tensor.data;
        reused.dies[0] = reused.dies[1] = true;
        test_op_run(&plain, 1);
        test_op_run(&reused, 1);
        ck_assert(oq_tensor_equal(test_op_output(&plain, 0), test_op_output(&reused, 0)));
        ck_assert_ptr_eq(test_op_output(&reused, 0)->data, memory);
        test_op_release(&plain);
        test_op_release(&reused);
    }
}
END_TEST

// One operator on pairs of numbers of one type.
static void expect_pairs(const char *name, int64_t opset, oq_dtype dtype, int count, const double *a,
                         const double *b, const double *y, const char *attr, const char *text,
                         int64_t number) {
    test_op op;
    test_op_init(&op, name, opset);
    if (attr && text) test_op_string(&op, attr, text);
    if (attr && !text) test_op_int(&op, attr, number);
    test_op_input(&op, test_op_tensor(&op, dtype, OQ_SHAPE(count), a));
    test_op_input(&op, test_op_tensor(&op, dtype, OQ_SHAPE(count), b));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, dtype, OQ_SHAPE(count), y, 0);
    test_op_release(&op);
}

START_TEST(integers_are_defined_everywhere) {
    expect_pairs("Div", 14, ONNXQ_INT32, 5, (double[]){7, -7, 5, -2147483648.0, 0},
                 (double[]){2, 2, 0, -1, 0}, (double[]){3, -3, 0, -2147483648.0, 0}, NULL, NULL, 0);
    expect_pairs("Div", 14, ONNXQ_INT64, 2, (double[]){-0x1p63, 9}, (double[]){-1, 0}, (double[]){-0x1p63, 0},
                 NULL, NULL, 0);
    expect_pairs("Mod", 13, ONNXQ_INT64, 6, (double[]){7, -7, 7, -7, 5, -0x1p63},
                 (double[]){3, 3, -3, -3, 0, -1}, (double[]){1, 2, -2, -1, 0, 0}, NULL, NULL, 0);
    expect_pairs("Mod", 13, ONNXQ_INT8, 4, (double[]){7, -7, 7, -7}, (double[]){3, 3, -3, -3},
                 (double[]){1, -1, 1, -1}, "fmod", NULL, 1);
    expect_pairs("Add", 14, ONNXQ_UINT8, 2, (double[]){250, 3}, (double[]){10, 4}, (double[]){4, 7}, NULL,
                 NULL, 0);
    expect_pairs("BitShift", 28, ONNXQ_INT8, 6, (double[]){-128, -1, 64, 1, -3, 5},
                 (double[]){1, 8, 1, 7, 100, -1}, (double[]){-64, -1, 32, 0, -1, 0}, "direction", "RIGHT", 0);
    expect_pairs("BitShift", 11, ONNXQ_UINT8, 4, (double[]){129, 1, 1, 255}, (double[]){1, 7, 8, 200},
                 (double[]){2, 128, 0, 0}, "direction", "LEFT", 0);
    expect_pairs("BitwiseXor", 18, ONNXQ_INT16, 2, (double[]){-1, 5}, (double[]){255, 3}, (double[]){-256, 6},
                 NULL, NULL, 0);
}
END_TEST

START_TEST(powers) {
    test_op op;
    test_op_init(&op, "Pow", 15);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_INT32, OQ_SHAPE(4), (double[]){2, -3, 1, 0}));
    test_op_input(&op, test_op_tensor(&op, ONNXQ_INT64, OQ_SHAPE(4), (double[]){10, 3, -5, -1}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_INT32, OQ_SHAPE(4), (double[]){1024, -27, 1, 0}, 0);
    test_op_release(&op);
    test_op_init(&op, "Pow", 15);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(4), (double[]){2, 3, -4, 0.5}));
    test_op_input(&op, test_op_tensor(&op, ONNXQ_INT32, OQ_SHAPE(1), (double[]){2}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_FLOAT, OQ_SHAPE(4), (double[]){4, 9, 16, 0.25}, 0);
    test_op_release(&op);
}
END_TEST

// Max and Sum of three inputs with three different broadcasts; NaN wins in Max.
START_TEST(any_number_of_inputs) {
    test_op op;
    test_op_init(&op, "Max", 13);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(2, 1), (double[]){1, 5}));
    test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(3), (double[]){0, 7, (double)NAN}));
    test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(1, 1), (double[]){2}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_FLOAT, OQ_SHAPE(2, 3), (double[]){2, 7, (double)NAN, 5, 7, (double)NAN}, 0);
    test_op_release(&op);
    test_op_init(&op, "Mean", 13);
    for (int k = 1; k <= 3; k++)
        test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT16, OQ_SHAPE(1), (double[]){1000.0 * k}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_FLOAT16, OQ_SHAPE(1), (double[]){2000}, 0);
    test_op_release(&op);
}
END_TEST

// Before opset 7 input 1 lies at `axis` of input 0.
START_TEST(old_broadcast_attributes) {
    test_op op;
    test_op_init(&op, "Add", 6);
    test_op_int(&op, "broadcast", 1);
    test_op_int(&op, "axis", 1);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(1, 2, 2), (double[]){1, 2, 3, 4}));
    test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(2), (double[]){10, 20}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_FLOAT, OQ_SHAPE(1, 2, 2), (double[]){11, 12, 23, 24}, 0);
    test_op_release(&op);
    test_op_init(&op, "Add", 6);
    test_op_int(&op, "broadcast", 1);
    test_op_int(&op, "axis", 7);
    test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(2, 2), 1, 0, 1));
    test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(2), 1, 0, 1));
    ck_assert_int_eq(test_op_try(&op, 1), ONNXQ_BAD_MODEL);
    test_op_release(&op);
}
END_TEST

START_TEST(strings_and_selection) {
    test_op op;
    test_op_init(&op, "Equal", 19);
    test_op_input(&op, test_op_tensor_strings(&op, OQ_SHAPE(3), (const char *[]){"a", "bc", ""}));
    test_op_input(&op, test_op_tensor_strings(&op, OQ_SHAPE(2, 1), (const char *[]){"bc", ""}));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_BOOL, OQ_SHAPE(2, 3), (double[]){0, 1, 0, 0, 0, 1}, 0);
    test_op_release(&op);
    test_op_init(&op, "Where", 16);
    test_op_input(&op, test_op_tensor(&op, ONNXQ_BOOL, OQ_SHAPE(2, 1), (double[]){1, 0}));
    test_op_input(&op, test_op_tensor_strings(&op, OQ_SHAPE(2), (const char *[]){"x", "yy"}));
    test_op_input(&op, test_op_tensor_strings(&op, OQ_SHAPE(1), (const char *[]){"z"}));
    test_op_run(&op, 1);
    const char *should[] = {"x", "yy", "z", "z"};
    for (int i = 0; i < 4; i++) {
        size_t length;
        const char *text = oq_tensor_string(test_op_output(&op, 0), i, &length);
        ck_assert_uint_eq(length, strlen(should[i]));
        ck_assert_mem_eq(text, should[i], length);
    }
    test_op_release(&op);
}
END_TEST

// Where by position, for every size of element and rows short and long.
START_TEST(where_is_selection_by_position) {
    static const oq_dtype all[] = {ONNXQ_INT8, ONNXQ_FLOAT16, ONNXQ_FLOAT, ONNXQ_DOUBLE};
    for (int round = 0; round < 40; round++) {
        test_op op;
        oq_shape x, c, out;
        oq_error err = {0};
        draw_shapes(&x, &c);
        test_op_init(&op, "Where", 16);
        test_op_input(&op, test_op_random(&op, ONNXQ_BOOL, c, state, 0, 1));
        for (int64_t i = 0; i < oq_shape_count(&c); i++)
            ((uint8_t *)op.inputs[0].tensor.data)[i] = (uint8_t)draw(2);
        test_op_input(&op, test_op_random(&op, all[round % 4], x, state, 1, 100));
        test_op_input(&op, test_op_random(&op, all[round % 4], (oq_shape){0}, state, -100, -1));
        test_op_run(&op, 1);
        CK_OK(oq_shape_broadcast(&x, &c, &out, &err), &err);
        const oq_tensor *y = test_op_output(&op, 0);
        for (int64_t i = 0; i < oq_shape_count(&out); i++) {
            const bool first = broadcast_element(&op.inputs[0].tensor, &out, i) != 0;
            ck_assert_double_eq(oq_tensor_get_f64(y, i),
                                broadcast_element(&op.inputs[first ? 1 : 2].tensor, &out, i));
        }
        test_op_release(&op);
    }
}
END_TEST

START_TEST(what_does_not_fit_is_an_error) {
    test_op op;
    test_op_init(&op, "Add", 14);
    test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(2, 3), 1, 0, 1));
    test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(4), 1, 0, 1));
    ck_assert_int_ne(test_op_try(&op, 1), ONNXQ_OK);
    test_op_release(&op);
    test_op_init(&op, "Mul", 14);
    test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(3), 1, 0, 1));
    test_op_input(&op, test_op_random(&op, ONNXQ_DOUBLE, OQ_SHAPE(3), 1, 0, 1));
    ck_assert_int_eq(test_op_try(&op, 1), ONNXQ_BAD_MODEL);
    test_op_release(&op);
    test_op_init(&op, "Sum", 13);
    ck_assert_int_eq(test_op_try(&op, 1), ONNXQ_BAD_MODEL);
    test_op_release(&op);
    test_op_init(&op, "Add", 14); // an axis without elements
    test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(2, 0, 3), 1, 0, 1));
    test_op_input(&op, test_op_random(&op, ONNXQ_FLOAT, OQ_SHAPE(3), 1, 0, 1));
    test_op_run(&op, 1);
    test_op_expect(&op, 0, ONNXQ_FLOAT, OQ_SHAPE(2, 0, 3), NULL, 0);
    test_op_release(&op);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ops/binary");
    TCase *tcase = tcase_create("binary");
    tcase_add_loop_test(tcase, broadcasting_is_expansion, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(tcase, reused_memory_gives_the_same);
    tcase_add_test(tcase, integers_are_defined_everywhere);
    tcase_add_test(tcase, powers);
    tcase_add_test(tcase, any_number_of_inputs);
    tcase_add_test(tcase, old_broadcast_attributes);
    tcase_add_test(tcase, strings_and_selection);
    tcase_add_test(tcase, where_is_selection_by_position);
    tcase_add_test(tcase, what_does_not_fit_is_an_error);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
