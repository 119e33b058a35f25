// Tests of tensor: shapes, broadcasting, buffers, strings, values, .npy.
#include "support/support.h"
#include "tensor/npy.h"

#include <string.h>

static oq_mem mem;
static oq_error err;

static void begin(void) { oq_error_clear(&err); }
static void end(void) { ck_assert_uint_eq(mem.used, 0); }

START_TEST(shapes) {
    oq_shape shape = OQ_SHAPE(2, 3, 4);
    ck_assert_int_eq(oq_shape_count(&shape), 24);
    ck_assert_int_eq(oq_shape_range_count(&shape, 1, 3), 12);
    ck_assert_int_eq(oq_shape_range_count(&shape, 2, 2), 1);
    int64_t strides[OQ_MAX_RANK];
    oq_shape_strides(&shape, strides);
    ck_assert(strides[0] == 12 && strides[1] == 4 && strides[2] == 1);
    char text[64];
    ck_assert_str_eq(oq_shape_format(&shape, text, sizeof text), "[2,3,4]");
    ck_assert_str_eq(oq_shape_format(&shape, text, 4), "[2,");
    oq_shape scalar = {.rank = 0};
    ck_assert_int_eq(oq_shape_count(&scalar), 1);
    ck_assert_str_eq(oq_shape_format(&scalar, text, sizeof text), "[]");
    ck_assert(!oq_shape_equal(&shape, &scalar));
    int axis = 9;
    ck_assert(oq_axis_normalize(-3, 3, &axis) && axis == 0);
    ck_assert(oq_axis_normalize(2, 3, &axis) && axis == 2);
    ck_assert(!oq_axis_normalize(3, 3, &axis) && !oq_axis_normalize(-4, 3, &axis));
    ck_assert(!oq_axis_normalize(INT64_MIN, 3, &axis) && !oq_axis_normalize(0, 0, &axis));
}
END_TEST

START_TEST(absurd_shapes_are_refused) {
    size_t bytes = 0;
    oq_shape huge = OQ_SHAPE(INT64_C(1) << 31, INT64_C(1) << 31, 4);
    ck_assert_int_eq(oq_shape_check(&huge, 1, &bytes, &err), ONNXQ_BAD_MODEL);
    ck_assert_ptr_nonnull(strstr(err.message, "[2147483648,2147483648,4]"));
    oq_shape wide = OQ_SHAPE(INT64_C(1) << 61);
    ck_assert_int_eq(oq_shape_check(&wide, 1, NULL, NULL), ONNXQ_OK);
    ck_assert_int_eq(oq_shape_check(&wide, 8, NULL, NULL), ONNXQ_BAD_MODEL);
    oq_shape hollow = OQ_SHAPE(INT64_C(1) << 40, 0, INT64_C(1) << 40); // partial products would overflow
    ck_assert_int_eq(oq_shape_check(&hollow, 4, NULL, NULL), ONNXQ_BAD_MODEL);
    oq_shape empty = OQ_SHAPE(3, 0);
    CK_OK(oq_shape_check(&empty, 4, &bytes, &(oq_error){0}), &err);
    ck_assert_uint_eq(bytes, 0);
    oq_shape negative = OQ_SHAPE(3, -1);
    ck_assert_int_eq(oq_shape_check(&negative, 4, NULL, NULL), ONNXQ_BAD_MODEL);
    oq_shape deep = {.rank = 17};
    ck_assert_int_eq(oq_shape_check(&deep, 4, NULL, NULL), ONNXQ_BAD_MODEL);
    oq_tensor tensor;
    ck_assert_int_eq(oq_tensor_new(&mem, ONNXQ_FLOAT, &huge, &tensor, NULL), ONNXQ_BAD_MODEL);
    ck_assert_int_eq(oq_tensor_new(&mem, ONNXQ_STRING, &empty, &tensor, NULL), ONNXQ_INTERNAL);
}
END_TEST

START_TEST(broadcasting) {
    static const struct {
        int64_t a[3], b[3], out[3];
        int ra, rb, rank;
    } cases[] = {{{2, 3}, {3}, {2, 3}, 2, 1, 2},
                 {{2, 1}, {1, 3}, {2, 3}, 2, 2, 2},
                 {{1}, {4, 1, 2}, {4, 1, 2}, 1, 3, 3},
                 {{0}, {2, 0}, {2, 0}, 0, 2, 2},
                 {{1}, {0}, {0}, 1, 1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const oq_shape a = oq_shape_of(cases[i].ra, cases[i].a);
        const oq_shape b = oq_shape_of(cases[i].rb, cases[i].b);
        const oq_shape wanted = oq_shape_of(cases[i].rank, cases[i].out);
        oq_shape ab;
        oq_shape ba;
        CK_OK(oq_shape_broadcast(&a, &b, &ab, &err), &err);
        CK_OK(oq_shape_broadcast(&b, &a, &ba, &err), &err);
        ck_assert(oq_shape_equal(&ab, &wanted) && oq_shape_equal(&ba, &wanted));
    }
    const oq_shape two = OQ_SHAPE(2, 3);
    const oq_shape three = OQ_SHAPE(2);
    oq_shape out;
    ck_assert_int_eq(oq_shape_broadcast(&two, &three, &out, &err), ONNXQ_BAD_MODEL);
    ck_assert_str_eq(err.message, "the shapes [2,3] and [2] do not broadcast");
    const oq_shape row = OQ_SHAPE(1, 3);
    const oq_shape onto = OQ_SHAPE(5, 2, 3);
    int64_t strides[OQ_MAX_RANK];
    oq_broadcast_strides(&row, &onto, strides);
    ck_assert(strides[0] == 0 && strides[1] == 0 && strides[2] == 1);
}
END_TEST

static int reclaimed;
static void reclaim(oq_buffer *buffer, void *owner) {
    ck_assert_ptr_eq(owner, &reclaimed);
    reclaimed++;
    buffer->reclaim = NULL;
    atomic_store(&buffer->references, 1);
}

START_TEST(references) {
    oq_tensor tensor;
    const oq_shape shape = OQ_SHAPE(3);
    CK_OK(oq_tensor_new(&mem, ONNXQ_FLOAT, &shape, &tensor, &err), &err);
    ck_assert_uint_eq((uintptr_t)tensor.data % OQ_ALIGNMENT, 0);
    oq_tensor other = oq_tensor_retain(&tensor);
    oq_buffer *buffer = tensor.buffer;
    oq_tensor_release(&tensor);
    ck_assert_ptr_null(tensor.data);
    ((float *)other.data)[2] = 5;
    ck_assert(oq_tensor_get_f64(&other, 2) == 5);
    buffer->reclaim = reclaim;
    buffer->owner = &reclaimed;
    oq_tensor_release(&other);
    ck_assert_int_eq(reclaimed, 1);
    oq_buffer_release(buffer); // now for good
    oq_tensor_release(&other);
    oq_tensor_release(NULL);
}
END_TEST

START_TEST(strings) {
    const char *texts[] = {"one", "", "th\0ree"};
    const size_t lengths[] = {3, 0, 6};
    const oq_shape shape = OQ_SHAPE(3);
    oq_tensor tensor;
    oq_tensor same;
    CK_OK(oq_tensor_new_strings(&mem, &shape, texts, lengths, &tensor, &err), &err);
    CK_OK(oq_tensor_new_strings(&mem, &shape, texts, lengths, &same, &err), &err);
    for (int i = 0; i < 3; i++) {
        size_t length = 0;
        const char *text = oq_tensor_string(&tensor, i, &length);
        ck_assert_uint_eq(length, lengths[i]);
        ck_assert(memcmp(text, texts[i], length) == 0);
    }
    ck_assert(oq_tensor_equal(&tensor, &same));
    ((char *)same.data)[oq_tensor_bytes(&same) - 1] ^= 1;
    ck_assert(!oq_tensor_equal(&tensor, &same));
    oq_tensor_release(&tensor), oq_tensor_release(&same);
}
END_TEST

START_TEST(values_share_and_end) {
    oq_list *list = oq_list_new(&mem, 2, &err);
    const oq_shape shape = OQ_SHAPE(2);
    for (int i = 0; i < 2; i++) {
        oq_tensor tensor;
        CK_OK(oq_tensor_new(&mem, ONNXQ_INT64, &shape, &tensor, &err), &err);
        list->items[i] = oq_value_of_tensor(tensor);
    }
    oq_value value = {.kind = OQ_VALUE_SEQUENCE, .list = list};
    oq_value other = oq_value_retain(&value);
    oq_value item = oq_value_retain(&list->items[1]);
    oq_value_release(&value);
    oq_value_release(&other);
    ck_assert_int_eq(oq_tensor_count(&item.tensor), 2); // lives on
    oq_value_release(&item);
    oq_value_release(&item);
    ck_assert_ptr_null(oq_list_new(&mem, SIZE_MAX / 2, NULL));
}
END_TEST

static void expect_npy(const char *dictionary, const void *elements, size_t size, oq_status wanted,
                       oq_tensor *out) {
    uint8_t bytes[512] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (uint8_t)strlen(dictionary), 0};
    memcpy(bytes + 10, dictionary, strlen(dictionary));
    memcpy(bytes + 10 + strlen(dictionary), elements, size);
    oq_error_clear(&err);
    const oq_status status = oq_npy_parse(&mem, bytes, 10 + strlen(dictionary) + size, "a.npy", out, &err);
    ck_assert_msg(status == wanted, "%s: %s", dictionary, err.message);
    if (status != ONNXQ_OK) ck_assert_ptr_nonnull(strstr(err.message, "a.npy"));
}

START_TEST(npy_forms) {
    const int16_t six[] = {0, 1, 2, 3, 4, 5};
    const uint8_t big[] = {0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5};
    static const char *const forms[] = {"{'descr': '<i2', 'fortran_order': False, 'shape': (2, 3), }\n",
                                        "{\"shape\":(2,3),'descr':'<i2','fortran_order':False}",
                                        "{'descr': '<i2', 'fortran_order': False, 'shape': (2L, 3L,), }"};
    oq_tensor tensor;
    for (int f = 0; f < 4; f++) {
        const char *form = f < 3 ? forms[f] : "{'descr': '>i2', 'fortran_order': False, 'shape': (2, 3)}";
        expect_npy(form, f < 3 ? (const void *)six : big, 12, ONNXQ_OK, &tensor);
        ck_assert(tensor.shape.rank == 2 && tensor.shape.dim[1] == 3 && tensor.dtype == ONNXQ_INT16);
        for (int i = 0; i < 6; i++) ck_assert_int_eq(oq_tensor_get_i64(&tensor, i), i);
        oq_tensor_release(&tensor);
    }
    expect_npy("{'descr': '<i2', 'fortran_order': True, 'shape': (2, 3), }", six, 12, ONNXQ_OK, &tensor);
    const int wanted[] = {0, 2, 4, 1, 3, 5};
    for (int i = 0; i < 6; i++) ck_assert_int_eq(oq_tensor_get_i64(&tensor, i), wanted[i]);
    oq_tensor_release(&tensor);
    expect_npy("{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }", "\0\1\7", 3, ONNXQ_OK, &tensor);
    ck_assert_mem_eq(tensor.data, "\0\1\1", 3);
    oq_tensor_release(&tensor);
    const uint8_t complex_big[] = {0x3f, 0x80, 0, 0, 0x40, 0, 0, 0}; // 1 + 2i
    expect_npy("{'descr': '>c8', 'fortran_order': False, 'shape': (), }", complex_big, 8, ONNXQ_OK, &tensor);
    ck_assert(((const float *)tensor.data)[0] == 1 && ((const float *)tensor.data)[1] == 2);
    oq_tensor_release(&tensor);
}
END_TEST

START_TEST(npy_refusals) {
    static const char *const bad[] = {
        "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '<U4', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,) ",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (2,), }",
        "{'descr': '<f4', 'shape': (2,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 8), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1), }",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", // 12 bytes promised, 8 there
        "",
        "[]",
    };
    oq_tensor tensor;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        expect_npy(bad[i], "12345678", 8, ONNXQ_BAD_DATA, &tensor);
}
END_TEST

// Written and read back for every type and several shapes; every cut of it is refused.
START_TEST(npy_round_trip) {
    const oq_dtype dtype = (oq_dtype)_i;
    if (!oq_dtype_bytes(dtype)) return;
    const oq_shape forms[] = {{.rank = 0}, OQ_SHAPE(5), OQ_SHAPE(2, 3, 1), OQ_SHAPE(0, 4)};
    for (int s = 0; s < 4; s++) {
        oq_tensor tensor;
        oq_tensor back;
        oq_text text;
        oq_text_init(&text, &mem);
        CK_OK(oq_tensor_new(&mem, dtype, &forms[s], &tensor, &err), &err);
        for (size_t i = 0; i < oq_tensor_bytes(&tensor); i++) ((uint8_t *)tensor.data)[i] = i % 2;
        CK_OK(oq_npy_format(&tensor, &text, &err), &err);
        ck_assert_uint_eq((text.length - oq_tensor_bytes(&tensor)) % 64, 0);
        const uint8_t *bytes = (const uint8_t *)oq_text_get(&text);
        CK_OK(oq_npy_parse(&mem, bytes, text.length, "t", &back, &err), &err);
        ck_assert(oq_shape_equal(&back.shape, &tensor.shape));
        ck_assert_uint_eq(oq_tensor_bytes(&back), oq_tensor_bytes(&tensor));
        if (oq_tensor_bytes(&back)) ck_assert_mem_eq(back.data, tensor.data, oq_tensor_bytes(&back));
        oq_tensor_release(&back);
        for (size_t cut = 0; cut < text.length; cut += 5)
            ck_assert_int_ne(oq_npy_parse(&mem, bytes, cut, "t", &back, NULL), ONNXQ_OK);
        oq_tensor_release(&tensor);
        oq_text_release(&text);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("tensor");
    TCase *tcase = tcase_create("tensor");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, shapes);
    tcase_add_test(tcase, absurd_shapes_are_refused);
    tcase_add_test(tcase, broadcasting);
    tcase_add_test(tcase, references);
    tcase_add_test(tcase, strings);
    tcase_add_test(tcase, values_share_and_end);
    tcase_add_test(tcase, npy_forms);
    tcase_add_test(tcase, npy_refusals);
    tcase_add_loop_test(tcase, npy_round_trip, 1, ONNXQ_DTYPE_COUNT);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
