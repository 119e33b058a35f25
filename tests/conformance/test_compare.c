// The comparison that judges the official cases is itself judged: what must fail, fails.
#include "support/support.h"
#include "support/values.h"

#include <math.h>

static oq_mem mem;

static oq_value floats(oq_shape shape, const float *values) {
    return oq_value_of_tensor(test_tensor_f32(&mem, shape, values));
}

static oq_value number(oq_dtype dtype, double value) {
    oq_error err = {0};
    oq_tensor tensor;
    const oq_shape scalar = {0};
    CK_OK(oq_tensor_new(&mem, dtype, &scalar, &tensor, &err), &err);
    oq_store_f64(dtype, &value, tensor.data, 1);
    return oq_value_of_tensor(tensor);
}

// Takes both references.
static bool equal(oq_value expected, oq_value got) {
    char reason[300] = "";
    const bool same = test_values_equal(&expected, &got, 1e-3, 1e-7, reason, sizeof reason);
    ck_assert(same == (reason[0] == 0));
    oq_value_release(&expected);
    oq_value_release(&got);
    return same;
}

static bool equal_floats(float expected, float got) {
    return equal(number(ONNXQ_FLOAT, (double)expected), number(ONNXQ_FLOAT, (double)got));
}

START_TEST(numbers_that_are_none) {
    ck_assert(equal_floats(NAN, NAN) && equal_floats(INFINITY, INFINITY));
    ck_assert(!equal_floats(NAN, 1) && !equal_floats(1, NAN) && !equal_floats(NAN, INFINITY));
    ck_assert(!equal_floats(INFINITY, -INFINITY) && !equal_floats(INFINITY, 3e38F) &&
              !equal_floats(1, INFINITY));
}
END_TEST

START_TEST(tolerance_is_relative_to_what_is_expected) {
    ck_assert(equal_floats(1000, 1000.9F) && !equal_floats(1000, 1001.1F));
    ck_assert(equal_floats(0, 5e-8F) && !equal_floats(0, 5e-7F));
    ck_assert(!equal_floats(1, -1));
}
END_TEST

START_TEST(types_and_shapes_are_exact) {
    const float values[4] = {1, 2, 3, 4};
    ck_assert(equal(floats(OQ_SHAPE(2, 2), values), floats(OQ_SHAPE(2, 2), values)));
    ck_assert(!equal(floats(OQ_SHAPE(2, 2), values), floats(OQ_SHAPE(4), values)));
    ck_assert(!equal(floats(OQ_SHAPE(1), values), number(ONNXQ_FLOAT, 1)));
    ck_assert(!equal(number(ONNXQ_FLOAT, 1), number(ONNXQ_DOUBLE, 1)));
    ck_assert(!equal(number(ONNXQ_INT32, 100000), number(ONNXQ_INT32, 100001)));
    ck_assert(equal(number(ONNXQ_INT64, 5), number(ONNXQ_INT64, 5)));
    ck_assert(!equal(number(ONNXQ_BOOL, 1), number(ONNXQ_BOOL, 0)));
    ck_assert(equal(number(ONNXQ_BFLOAT16, 1), number(ONNXQ_BFLOAT16, 1.0078125)));
}
END_TEST

START_TEST(sequences_are_compared_item_by_item) {
    oq_error err = {0};
    oq_value lists[3];
    for (int i = 0; i < 3; i++) {
        lists[i] = (oq_value){.kind = OQ_VALUE_SEQUENCE, .list = oq_list_new(&mem, i == 2 ? 1 : 2, &err)};
        for (size_t k = 0; k < lists[i].list->count; k++)
            lists[i].list->items[k] = number(ONNXQ_FLOAT, (double)k);
    }
    ck_assert(equal(oq_value_retain(&lists[0]), oq_value_retain(&lists[1])));
    ck_assert(!equal(oq_value_retain(&lists[0]), oq_value_retain(&lists[2])));
    ck_assert(!equal(oq_value_retain(&lists[0]), number(ONNXQ_FLOAT, 0)));
    ((float *)lists[1].list->items[1].tensor.data)[0] = 7;
    ck_assert(!equal(oq_value_retain(&lists[0]), oq_value_retain(&lists[1])));
    for (int i = 0; i < 3; i++) oq_value_release(&lists[i]);
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("compare");
    TCase *tcase = tcase_create("values");
    tcase_add_test(tcase, numbers_that_are_none);
    tcase_add_test(tcase, tolerance_is_relative_to_what_is_expected);
    tcase_add_test(tcase, types_and_shapes_are_exact);
    tcase_add_test(tcase, sequences_are_compared_item_by_item);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
