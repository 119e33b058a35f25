// Hostile and damaged model files: each gives one sentence and a status, never a crash, a hang or much
// memory.
#include "onnx/onnx.h"
#include "support/support.h"
#include "support/wire.h"

#include <stdio.h>
#include <string.h>

static oq_mem mem;

// --- files that are bad, each made by one function into `file` ---

static oq_text begin(void) {
    oq_text text;
    oq_text_init(&text, &mem);
    return text;
}

// A graph x -> Relu -> y with more fields in front of it.
static void around(oq_text *file, oq_text *graph) {
    wire_value(graph, GRAPH_INPUT, "x");
    wire_node(graph, "Relu", "x", "y", NULL);
    wire_value(graph, GRAPH_OUTPUT, "y");
    wire_model(file, graph);
}

static void empty(oq_text *file) { (void)file; }
static void other_text(oq_text *file) { oq_text_add(file, "# this is a readme\n"); }
static void length_of_2_to_63(oq_text *file) {
    wire_varint(file, MODEL_GRAPH << 3 | 2);
    wire_varint(file, UINT64_C(1) << 63);
}
static void length_of_all_ones(oq_text *file) {
    wire_varint(file, MODEL_GRAPH << 3 | 2);
    wire_varint(file, UINT64_MAX);
}
static void endless_number(oq_text *file) {
    oq_text_add_bytes(file, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12);
}
static void cut_number(oq_text *file) { oq_text_add_bytes(file, "\x08\xff", 2); }
static void field_zero(oq_text *file) { oq_text_add_bytes(file, "\x02\x00", 2); }
static void group(oq_text *file) { oq_text_add_bytes(file, "\x0b\x0c", 2); }
static void wire_type_7(oq_text *file) { oq_text_add_bytes(file, "\x0f\x01", 2); }
static void number_for_a_name(oq_text *file) {
    oq_text graph = begin();
    wire_int(&graph, GRAPH_NAME, 1);
    around(file, &graph);
}
static void bytes_for_a_number(oq_text *file) { wire_text(file, MODEL_IR, "12"); }
static void nul_in_a_name(oq_text *file) {
    oq_text graph = begin();
    wire_bytes(&graph, GRAPH_NAME, "a\0b", 3);
    around(file, &graph);
}
static void two_graphs(oq_text *file) {
    oq_text first = begin(), second = begin();
    around(file, &first);
    around(file, &second);
}

// Graphs in If in graphs in If ...
static void nested(oq_text *file) {
    oq_text inner = begin();
    wire_value(&inner, GRAPH_OUTPUT, "y");
    for (int i = 0; i < 3000; i++) {
        oq_text attr = begin(), attrs = begin(), graph = begin();
        wire_text(&attr, ATTR_NAME, "then_branch");
        wire_message(&attr, ATTR_G, &inner);
        wire_int(&attr, ATTR_TYPE, 5);
        wire_message(&attrs, NODE_ATTR, &attr);
        wire_node(&graph, "If", "", "y", &attrs);
        inner = graph;
    }
    wire_model(file, &inner);
}

static void empty_messages(oq_text *file) { // 10 MB of nodes without anything
    oq_text graph = begin();
    for (int i = 0; i < 5 << 20; i++) oq_text_add_bytes(&graph, "\x0a\x00", 2);
    wire_model(file, &graph);
}

static void two_inputs(oq_text *file) {
    oq_text graph = begin();
    wire_value(&graph, GRAPH_INPUT, "x");
    around(file, &graph);
}
static void written_twice(oq_text *file) {
    oq_text graph = begin();
    wire_node(&graph, "Abs", "x", "y", NULL);
    around(file, &graph);
}
static void output_of_nobody(oq_text *file) {
    oq_text graph = begin();
    wire_value(&graph, GRAPH_OUTPUT, "z");
    around(file, &graph);
}
static void input_of_nobody(oq_text *file) {
    oq_text graph = begin();
    wire_node(&graph, "Abs", "nothing", "z", NULL);
    around(file, &graph);
}
static void cycle(oq_text *file) {
    oq_text graph = begin();
    wire_node(&graph, "Abs", "b", "a", NULL);
    wire_node(&graph, "Neg", "a", "b", NULL);
    around(file, &graph);
}
static void no_operator(oq_text *file) {
    oq_text graph = begin();
    wire_node(&graph, "", "x", "z", NULL);
    around(file, &graph);
}

static void with_attr(oq_text *file, oq_text *attr) {
    oq_text attrs = begin(), graph = begin();
    wire_message(&attrs, NODE_ATTR, attr);
    wire_node(&graph, "Abs", "x", "z", &attrs);
    around(file, &graph);
}
static void attr_of_type_77(oq_text *file) {
    oq_text attr = begin();
    wire_text(&attr, ATTR_NAME, "a");
    wire_int(&attr, ATTR_TYPE, 77);
    with_attr(file, &attr);
}
static void attr_without_tensor(oq_text *file) {
    oq_text attr = begin();
    wire_text(&attr, ATTR_NAME, "a");
    wire_int(&attr, ATTR_TYPE, 4);
    with_attr(file, &attr);
}
static void attr_twice(oq_text *file) {
    oq_text one = begin(), attrs = begin(), graph = begin();
    wire_text(&one, ATTR_NAME, "a");
    wire_int(&one, ATTR_I, 1);
    wire_bytes(&attrs, NODE_ATTR, oq_text_get(&one), one.length);
    wire_message(&attrs, NODE_ATTR, &one);
    wire_node(&graph, "Abs", "x", "z", &attrs);
    around(file, &graph);
}

static void with_tensor(oq_text *file, int dtype, const int64_t *dims, size_t rank, uint32_t field,
                        size_t bytes) {
    static const uint8_t zeros[64];
    oq_text tensor = begin(), graph = begin();
    wire_tensor(&tensor, "w", dtype, dims, rank);
    if (field) wire_bytes(&tensor, field, zeros, bytes);
    wire_message(&graph, GRAPH_INITIALIZER, &tensor);
    around(file, &graph);
}
#define DIMS(...) (int64_t[]){__VA_ARGS__}, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)
static void raw_too_short(oq_text *file) { with_tensor(file, ONNXQ_FLOAT, DIMS(3, 4), TENSOR_RAW, 44); }
static void raw_too_long(oq_text *file) { with_tensor(file, ONNXQ_FLOAT, DIMS(2, 4), TENSOR_RAW, 44); }
static void floats_missing(oq_text *file) { with_tensor(file, ONNXQ_FLOAT, DIMS(3), TENSOR_FLOATS, 8); }
static void floats_torn(oq_text *file) { with_tensor(file, ONNXQ_FLOAT, DIMS(3), TENSOR_FLOATS, 11); }
static void floats_for_int8(oq_text *file) { with_tensor(file, ONNXQ_INT8, DIMS(3), TENSOR_FLOATS, 12); }
static void raw_strings(oq_text *file) { with_tensor(file, ONNXQ_STRING, DIMS(3), TENSOR_RAW, 12); }
static void negative_size(oq_text *file) { with_tensor(file, ONNXQ_FLOAT, DIMS(-3), TENSOR_RAW, 12); }
static void absurd_size(oq_text *file) {
    with_tensor(file, ONNXQ_FLOAT, DIMS(INT64_C(1) << 40, INT64_C(1) << 40), TENSOR_RAW, 12);
}
static void large_size(oq_text *file) {
    with_tensor(file, ONNXQ_FLOAT, DIMS(INT64_C(1) << 40), TENSOR_INT64S, 12);
}
static void rank_17(oq_text *file) {
    with_tensor(file, ONNXQ_FLOAT, DIMS(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), TENSOR_RAW, 4);
}
static void dtype_0(oq_text *file) { with_tensor(file, 0, DIMS(3), TENSOR_RAW, 12); }
static void dtype_99(oq_text *file) { with_tensor(file, 99, DIMS(3), TENSOR_RAW, 12); }
static void tensor_twice(oq_text *file) {
    oq_text tensor = begin(), graph = begin();
    wire_tensor(&tensor, "w", ONNXQ_INT8, DIMS(2));
    wire_bytes(&tensor, TENSOR_RAW, "ab", 2);
    wire_bytes(&graph, GRAPH_INITIALIZER, oq_text_get(&tensor), tensor.length);
    wire_message(&graph, GRAPH_INITIALIZER, &tensor);
    around(file, &graph);
}
static void elements_twice(oq_text *file) {
    oq_text tensor = begin(), graph = begin();
    wire_tensor(&tensor, "w", ONNXQ_INT8, DIMS(2));
    wire_bytes(&tensor, TENSOR_RAW, "ab", 2);
    wire_bytes(&tensor, TENSOR_INT32S, "ab", 2);
    wire_message(&graph, GRAPH_INITIALIZER, &tensor);
    around(file, &graph);
}

static void with_sparse(oq_text *file, int64_t size, int64_t index) {
    oq_text values = begin(), indices = begin(), sparse = begin(), graph = begin();
    wire_tensor(&values, "s", ONNXQ_INT8, DIMS(1));
    wire_bytes(&values, TENSOR_RAW, "a", 1);
    wire_tensor(&indices, "", ONNXQ_INT64, DIMS(1));
    wire_bytes(&indices, TENSOR_RAW, &index, 8);
    wire_message(&sparse, SPARSE_VALUES, &values);
    wire_message(&sparse, SPARSE_INDICES, &indices);
    wire_int(&sparse, SPARSE_DIMS, (uint64_t)size);
    wire_message(&graph, GRAPH_SPARSE, &sparse);
    around(file, &graph);
}
static void sparse_outside(oq_text *file) { with_sparse(file, 10, 10); }
static void sparse_absurd(oq_text *file) { with_sparse(file, INT64_C(1) << 40, 10); }

typedef struct bad_file {
    void (*make)(oq_text *file);
    oq_status status;
    const char *says; // in the sentence
} bad_file;

static const bad_file files[] = {
    {empty, ONNXQ_BAD_MODEL, "no graph"},
    {other_text, ONNXQ_BAD_MODEL, "damaged, or no ONNX file"},
    {length_of_2_to_63, ONNXQ_BAD_MODEL, "a length of 9223372036854775808"},
    {length_of_all_ones, ONNXQ_BAD_MODEL, "a length of 18446744073709551615"},
    {endless_number, ONNXQ_BAD_MODEL, "more than 10 bytes at byte 1"},
    {cut_number, ONNXQ_BAD_MODEL, "cut off at byte 1"},
    {field_zero, ONNXQ_BAD_MODEL, "field number 0"},
    {group, ONNXQ_BAD_MODEL, "wire type 3"},
    {wire_type_7, ONNXQ_BAD_MODEL, "wire type 7"},
    {number_for_a_name, ONNXQ_BAD_MODEL, "wire type 0 for name of GraphProto"},
    {bytes_for_a_number, ONNXQ_BAD_MODEL, "ir_version of ModelProto holds bytes"},
    {nul_in_a_name, ONNXQ_BAD_MODEL, "a NUL inside name of GraphProto"},
    {two_graphs, ONNXQ_BAD_MODEL, "two graphs"},
    {nested, ONNXQ_BAD_MODEL, "nested more than 100 deep"},
    {empty_messages, ONNXQ_BAD_MODEL, "absurd number of tiny fields"},
    {two_inputs, ONNXQ_BAD_MODEL, "two graph inputs are named 'x'"},
    {written_twice, ONNXQ_BAD_MODEL, "output 'y' is already given"},
    {output_of_nobody, ONNXQ_BAD_MODEL, "graph output 'z' is given by no node"},
    {input_of_nobody, ONNXQ_BAD_MODEL, "'nothing', is given by no node"},
    {cycle, ONNXQ_BAD_MODEL, "cycle"},
    {no_operator, ONNXQ_BAD_MODEL, "no operator type"},
    {attr_of_type_77, ONNXQ_BAD_MODEL, "attribute 'a' has type 77"},
    {attr_without_tensor, ONNXQ_BAD_MODEL, "attribute 'a' holds 0 objects"},
    {attr_twice, ONNXQ_BAD_MODEL, "two attributes are named 'a'"},
    {raw_too_short, ONNXQ_BAD_MODEL, "tensor 'w' of float32[3,4] needs 48 bytes, the file holds 44"},
    {raw_too_long, ONNXQ_BAD_MODEL, "needs 32 bytes, the file holds 44"},
    {floats_missing, ONNXQ_BAD_MODEL, "needs 3 entries, the file holds 2"},
    {floats_torn, ONNXQ_BAD_MODEL, "no whole number of elements"},
    {floats_for_int8, ONNXQ_BAD_MODEL, "int8 do not belong into float_data"},
    {raw_strings, ONNXQ_BAD_MODEL, "strings cannot be raw data"},
    {negative_size, ONNXQ_BAD_MODEL, "dimension 0 is negative"},
    {absurd_size, ONNXQ_BAD_MODEL, ""},
    {large_size, ONNXQ_BAD_MODEL, "do not belong"},
    {rank_17, ONNXQ_UNSUPPORTED, "17 dimensions"},
    {dtype_0, ONNXQ_BAD_MODEL, "data type 0 is not known"},
    {dtype_99, ONNXQ_UNSUPPORTED, "data type 99 is not known"},
    {tensor_twice, ONNXQ_BAD_MODEL, "two initializers are named 'w'"},
    {elements_twice, ONNXQ_BAD_MODEL, "holds its elements twice"},
    {sparse_outside, ONNXQ_BAD_MODEL, "index 0 is outside"},
    {sparse_absurd, ONNXQ_UNSUPPORTED, "bytes when written out"},
};

START_TEST(bad_files_give_a_sentence) {
    const bad_file *bad = &files[_i];
    oq_text file = begin();
    bad->make(&file);
    ck_assert(!file.failed);
    const size_t size = file.length;
    atomic_store(&mem.peak, atomic_load(&mem.used));
    oq_error err = {0};
    oq_model *model = NULL;
    const oq_status status =
        oq_onnx_parse(&mem, (const uint8_t *)oq_text_get(&file), size, "bad.onnx", &model, &err);
    ck_assert_msg(status == bad->status, "case %d: status %d, '%s'", _i, (int)status, err.message);
    ck_assert_int_eq(err.status, status);
    ck_assert_msg(strstr(err.message, bad->says), "'%s' does not say '%s'", err.message, bad->says);
    ck_assert_msg(strstr(err.message, "bad.onnx"), "'%s' does not name the file", err.message);
    ck_assert_str_eq(err.file, "bad.onnx");
    ck_assert_ptr_null(model);
    oq_text_release(&file);
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
    ck_assert_uint_lt(atomic_load(&mem.peak), 16 * size + ((size_t)1 << 20));
}
END_TEST

// --- any damage ---

// Must load, or fail with a sentence; and what loads can be written.
static void try_bytes(const uint8_t *bytes, size_t count) {
    oq_error err = {0};
    oq_model *model = NULL;
    const oq_status status = oq_onnx_parse(&mem, bytes, count, "damaged", &model, &err);
    ck_assert(status == ONNXQ_OK || err.message[0]);
    ck_assert_int_ne(status, ONNXQ_INTERNAL);
    if (status != ONNXQ_OK) return;
    oq_text text = begin();
    CK_OK(oq_onnx_format(model, &text, &err), &err);
    ck_assert_uint_eq(text.length, count);
    ck_assert_mem_eq(oq_text_get(&text), bytes, count);
    oq_text_release(&text);
    oq_model_free(model);
}

START_TEST(truncated_anywhere) {
    oq_text file = begin();
    wire_rich_model(&file);
    size_t loaded = 0;
    for (size_t count = 0; count <= file.length; count++) {
        uint8_t *bytes = oq_mem_alloc(&mem, count, NULL); // its own block: reads beyond it are seen
        memcpy(bytes, oq_text_get(&file), count);
        try_bytes(bytes, count);
        oq_mem_free(&mem, bytes);
        loaded += count == file.length;
    }
    ck_assert_uint_eq(loaded, 1);
    oq_text_release(&file);
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

START_TEST(any_byte_changed) {
    static const uint8_t changes[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff};
    oq_text file = begin();
    wire_rich_model(&file);
    for (size_t at = 0; at < file.length; at++) {
        for (size_t k = 0; k < sizeof changes; k++) {
            file.data[at] = (char)(file.data[at] ^ changes[k]);
            try_bytes((const uint8_t *)file.data, file.length);
            file.data[at] = (char)(file.data[at] ^ changes[k]);
        }
    }
    oq_text_release(&file);
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

START_TEST(any_allocation_fails) {
    oq_text file = begin();
    wire_rich_model(&file);
    oq_status status = ONNXQ_NO_MEMORY;
    int tries = 0;
    for (; status != ONNXQ_OK && tries < 500; tries++) {
        oq_mem small = {0};
        oq_error err = {0};
        oq_model *model = NULL;
        atomic_store(&small.fail_after, tries + 1);
        status = oq_onnx_parse(&small, (const uint8_t *)file.data, file.length, "f", &model, &err);
        ck_assert_msg(status == ONNXQ_OK || status == ONNXQ_NO_MEMORY, "%s", err.message);
        oq_model_free(model);
        ck_assert_uint_eq(atomic_load(&small.used), 0);
    }
    ck_assert_int_gt(tries, 10);
    ck_assert_int_eq(status, ONNXQ_OK);
    oq_text_release(&file);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("onnx hostile files");
    TCase *tcase = tcase_create("hostile");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, bad_files_give_a_sentence, 0, (int)(sizeof files / sizeof files[0]));
    tcase_add_test(tcase, truncated_anywhere);
    tcase_add_test(tcase, any_byte_changed);
    tcase_add_test(tcase, any_allocation_fails);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
