// Elements of tensors: every data type gives the same values from raw_data and from its typed field, packed
// and unpacked; sequences, maps and optionals come back from their files.
#include "onnx/onnx.h"
#include "support/support.h"
#include "support/wire.h"

#include <string.h>

static oq_mem mem;

#define COUNT 7 // elements; odd, so that sub-byte types end inside a byte

// How the standard stores a type in typed fields: the field, bytes of an entry, elements in one entry.
typedef struct typed {
    oq_dtype dtype;
    uint32_t field;
    size_t width, bits;
} typed;

static const typed types[] = {
    {ONNXQ_FLOAT, TENSOR_FLOATS, 4, 32},         {ONNXQ_DOUBLE, TENSOR_DOUBLES, 8, 64},
    {ONNXQ_COMPLEX64, TENSOR_FLOATS, 4, 32},     {ONNXQ_COMPLEX128, TENSOR_DOUBLES, 8, 64},
    {ONNXQ_INT64, TENSOR_INT64S, 8, 64},         {ONNXQ_UINT64, TENSOR_UINT64S, 8, 64},
    {ONNXQ_UINT32, TENSOR_UINT64S, 4, 32},       {ONNXQ_INT32, TENSOR_INT32S, 4, 32},
    {ONNXQ_INT16, TENSOR_INT32S, 2, 16},         {ONNXQ_UINT16, TENSOR_INT32S, 2, 16},
    {ONNXQ_INT8, TENSOR_INT32S, 1, 8},           {ONNXQ_UINT8, TENSOR_INT32S, 1, 8},
    {ONNXQ_BOOL, TENSOR_INT32S, 1, 1},           {ONNXQ_FLOAT16, TENSOR_INT32S, 2, 16},
    {ONNXQ_BFLOAT16, TENSOR_INT32S, 2, 16},      {ONNXQ_FLOAT8E4M3FN, TENSOR_INT32S, 1, 8},
    {ONNXQ_FLOAT8E4M3FNUZ, TENSOR_INT32S, 1, 8}, {ONNXQ_FLOAT8E5M2, TENSOR_INT32S, 1, 8},
    {ONNXQ_FLOAT8E5M2FNUZ, TENSOR_INT32S, 1, 8}, {ONNXQ_FLOAT8E8M0, TENSOR_INT32S, 1, 8},
    {ONNXQ_UINT4, TENSOR_INT32S, 1, 4},          {ONNXQ_INT4, TENSOR_INT32S, 1, 4},
    {ONNXQ_FLOAT4E2M1, TENSOR_INT32S, 1, 4},     {ONNXQ_UINT2, TENSOR_INT32S, 1, 2},
    {ONNXQ_INT2, TENSOR_INT32S, 1, 2},           {ONNXQ_FLOAT6E2M3, TENSOR_INT32S, 1, 6},
    {ONNXQ_FLOAT6E3M2, TENSOR_INT32S, 1, 6},
};

static oq_text begin(void) {
    oq_text text;
    oq_text_init(&text, &mem);
    return text;
}

// Codes 0, 1, .. of the type's bits, mixed; packed low bits first into bytes, by the letter of the standard.
static size_t raw_bytes(const typed *type, size_t numbers, uint8_t raw[256]) {
    memset(raw, 0, 256);
    const size_t bits = type->dtype == ONNXQ_BOOL ? 8 : type->bits;
    for (size_t i = 0; i < numbers; i++) {
        uint64_t code = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
        if (type->bits < 64) code &= (UINT64_C(1) << type->bits) - 1;
        for (size_t b = 0; b < bits; b++)
            if (code >> b & 1) raw[(i * bits + b) / 8] |= (uint8_t)(1 << (i * bits + b) % 8);
    }
    return (numbers * bits + 7) / 8;
}

// Entry `i` of the typed field.
static uint64_t entry(const typed *type, const uint8_t *raw, size_t i) {
    if (type->bits == 6) { // one element an entry
        const size_t bit = i * 6;
        return ((uint64_t)raw[bit / 8] | (uint64_t)raw[bit / 8 + 1] << 8) >> bit % 8 & 0x3f;
    }
    uint64_t value = 0;
    memcpy(&value, raw + i * type->width, type->width);
    const bool negative =
        type->dtype == ONNXQ_INT32 || type->dtype == ONNXQ_INT16 || type->dtype == ONNXQ_INT8;
    const uint64_t sign = UINT64_C(1) << (type->width * 8 - 1);
    return negative && (value & sign) ? value | ~(sign * 2 - 1) : value; // varints of int32 are sign-extended
}

static oq_tensor parse(oq_text *file) {
    oq_error err = {0};
    oq_value value = {0};
    CK_OK(oq_onnx_parse_value(&mem, (const uint8_t *)oq_text_get(file), file->length, OQ_VALUE_TENSOR, "t",
                              &value, &err),
          &err);
    oq_text_release(file);
    return value.tensor;
}

static void add_entry(oq_text *into, const typed *type, uint64_t value) {
    if (type->field == TENSOR_FLOATS || type->field == TENSOR_DOUBLES)
        oq_text_add_bytes(into, &value, type->width);
    else
        wire_varint(into, value);
}

// The tensor from typed entries: packed in one field, or each with its own tag.
static oq_tensor typed_tensor(const typed *type, const uint8_t *raw, size_t entries, bool packed) {
    const int64_t dims[] = {COUNT};
    oq_text file = begin(), data = begin();
    wire_tensor(&file, "t", (int)type->dtype, dims, 1);
    const uint32_t wire = type->field == TENSOR_FLOATS ? 5 : type->field == TENSOR_DOUBLES ? 1 : 0;
    for (size_t i = 0; i < entries; i++) {
        if (!packed) wire_varint(&file, type->field << 3 | wire);
        add_entry(packed ? &data : &file, type, entry(type, raw, i));
    }
    if (packed) wire_bytes(&file, type->field, oq_text_get(&data), data.length);
    oq_text_release(&data);
    return parse(&file);
}

START_TEST(typed_fields_say_what_raw_data_say) {
    const typed *type = &types[_i];
    const bool complex = type->dtype == ONNXQ_COMPLEX64 || type->dtype == ONNXQ_COMPLEX128;
    const size_t numbers = complex ? 2 * COUNT : COUNT;
    uint8_t raw[256];
    const size_t bytes = raw_bytes(type, numbers, raw);
    const size_t entries = type->bits == 6 || type->bits >= 8 ? numbers : bytes;
    const int64_t dims[] = {COUNT};
    oq_text file = begin();
    wire_tensor(&file, "t", (int)type->dtype, dims, 1);
    wire_bytes(&file, TENSOR_RAW, raw, bytes);
    oq_tensor tensors[] = {parse(&file), typed_tensor(type, raw, entries, true),
                           typed_tensor(type, raw, entries, false)};
    ck_assert_int_eq(tensors[0].dtype, type->dtype);
    ck_assert_int_eq(oq_tensor_count(&tensors[0]), COUNT);
    ck_assert_msg(oq_tensor_equal(&tensors[0], &tensors[1]), "%s, packed", oq_dtype_info(type->dtype)->name);
    ck_assert_msg(oq_tensor_equal(&tensors[0], &tensors[2]), "%s, unpacked",
                  oq_dtype_info(type->dtype)->name);
    // And written again, the raw bytes are the same.
    oq_text again = begin();
    oq_error err = {0};
    const oq_value value = {.kind = OQ_VALUE_TENSOR, .tensor = tensors[1]};
    CK_OK(oq_onnx_format_value(&value, "t", &again, &err), &err);
    ck_assert_uint_gt(again.length, bytes);
    ck_assert_mem_eq(oq_text_get(&again) + again.length - bytes, raw, bytes);
    oq_text_release(&again);
    for (int k = 0; k < 3; k++) oq_tensor_release(&tensors[k]);
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

START_TEST(every_type_is_in_the_table) {
    bool seen[ONNXQ_DTYPE_COUNT] = {[ONNXQ_STRING] = true};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) seen[types[i].dtype] = true;
    for (int i = 1; i < ONNXQ_DTYPE_COUNT; i++) ck_assert_msg(seen[i], "data type %d", i);
}
END_TEST

START_TEST(large_payloads_are_read_when_asked_for) {
    static float floats[5000];
    const int64_t dims[] = {5000};
    for (int i = 0; i < 5000; i++) floats[i] = (float)i / 3;
    static const uint32_t fields[] = {TENSOR_RAW, TENSOR_FLOATS};
    for (int k = 0; k < 3; k++) { // raw, packed, packed in two parts
        oq_text file = begin();
        wire_tensor(&file, "t", ONNXQ_FLOAT, dims, 1);
        if (k < 2) {
            wire_bytes(&file, fields[k], floats, sizeof floats);
        } else {
            wire_bytes(&file, TENSOR_FLOATS, floats, 8000);
            wire_bytes(&file, TENSOR_FLOATS, floats + 2000, sizeof floats - 8000);
        }
        oq_tensor tensor = parse(&file);
        ck_assert_mem_eq(tensor.data, floats, sizeof floats);
        oq_tensor_release(&tensor);
    }
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

// --- values ---

static oq_value number(float value) { return oq_value_of_tensor(test_tensor_f32(&mem, OQ_SHAPE(1), &value)); }

static oq_value strings(const char *a, const char *b) {
    const char *const texts[] = {a, b};
    const size_t lengths[] = {strlen(a), strlen(b)};
    const oq_shape shape = OQ_SHAPE(2);
    oq_tensor tensor;
    oq_error err = {0};
    CK_OK(oq_tensor_new_strings(&mem, &shape, texts, lengths, &tensor, &err), &err);
    return oq_value_of_tensor(tensor);
}

static oq_value list(oq_value_kind kind, size_t count, const oq_value *items) {
    oq_list *made = oq_list_new(&mem, count, NULL);
    for (size_t i = 0; i < count; i++) made->items[i] = items[i];
    return (oq_value){.kind = kind, .list = made};
}

static bool equal(const oq_value *a, const oq_value *b) {
    if (a->kind != b->kind) return false;
    if (a->kind == OQ_VALUE_TENSOR) return oq_tensor_equal(&a->tensor, &b->tensor);
    bool same = a->list->count == b->list->count;
    for (size_t i = 0; same && i < a->list->count; i++) same = equal(&a->list->items[i], &b->list->items[i]);
    return same;
}

static void comes_back(oq_value value) {
    oq_error err = {0};
    oq_text file = begin();
    oq_value back = {0};
    CK_OK(oq_onnx_format_value(&value, "v", &file, &err), &err);
    CK_OK(oq_onnx_parse_value(&mem, (const uint8_t *)oq_text_get(&file), file.length, value.kind, "v", &back,
                              &err),
          &err);
    ck_assert(equal(&value, &back));
    // Cut off anywhere it is an error or another value, never a crash.
    for (size_t count = 0; count < file.length; count++) {
        oq_value part = {0};
        const oq_status status =
            oq_onnx_parse_value(&mem, (const uint8_t *)file.data, count, value.kind, "v", &part, NULL);
        ck_assert(status == ONNXQ_OK || status == ONNXQ_BAD_DATA);
        oq_value_release(&part);
    }
    oq_text_release(&file);
    oq_value_release(&back);
    oq_value_release(&value);
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}

START_TEST(values_come_back) {
    comes_back(number(3));
    comes_back(strings("", "a longer one"));
    comes_back(list(OQ_VALUE_SEQUENCE, 0, NULL));
    comes_back(list(OQ_VALUE_SEQUENCE, 2, (oq_value[]){number(1), number(2)}));
    comes_back(list(OQ_VALUE_OPTIONAL, 0, NULL));
    comes_back(list(OQ_VALUE_OPTIONAL, 1, (oq_value[]){number(1)}));
    const oq_value inner = list(OQ_VALUE_SEQUENCE, 1, (oq_value[]){number(5)});
    comes_back(list(OQ_VALUE_OPTIONAL, 1, (oq_value[]){inner}));
    const oq_value values = list(OQ_VALUE_SEQUENCE, 2, (oq_value[]){number(1), number(2)});
    comes_back(list(OQ_VALUE_MAP, 2, (oq_value[]){strings("k", "l"), values}));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("onnx elements");
    TCase *tcase = tcase_create("elements");
    tcase_add_loop_test(tcase, typed_fields_say_what_raw_data_say, 0, (int)(sizeof types / sizeof types[0]));
    tcase_add_test(tcase, every_type_is_in_the_table);
    tcase_add_test(tcase, large_payloads_are_read_when_asked_for);
    tcase_add_test(tcase, values_come_back);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
