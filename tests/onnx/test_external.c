// External data: read only from the model's folder and in range; written beside the model under the name of
// their contents.
#include "onnx/onnx.h"
#include "support/support.h"
#include "support/wire.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static oq_mem mem;
static char root[256], folder[300], other[300]; // the other two are inside `root`

static char *path_in(const char *where, const char *name) {
    static char paths[8][700];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", where, name);
    return path;
}

static void put(const char *path, const void *bytes, size_t count) {
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, count, file), count);
    ck_assert_int_eq(fclose(file), 0);
}

static void begin_folders(void) {
    uint8_t bytes[4096];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 7);
    test_temporary_folder(root, sizeof root);
    snprintf(folder, sizeof folder, "%s/model", root);
    snprintf(other, sizeof other, "%s/other", root);
    ck_assert_int_eq(mkdir(folder, 0755), 0);
    ck_assert_int_eq(mkdir(other, 0755), 0);
    ck_assert_int_eq(mkdir(path_in(folder, "deep"), 0755), 0);
    put(path_in(folder, "w.bin"), bytes, sizeof bytes);
    put(path_in(folder, "deep/w.bin"), bytes, sizeof bytes);
    put(path_in(root, "secret.bin"), bytes, sizeof bytes);
    ck_assert_int_eq(symlink("w.bin", path_in(folder, "inside")), 0);
    ck_assert_int_eq(symlink("../secret.bin", path_in(folder, "outside")), 0);
    ck_assert_int_eq(symlink("..", path_in(folder, "up")), 0);
}

static void end_folders(void) { test_remove_folder(root); }

// Writes folder/m.onnx: y = x + w, w of `count` float32 in external data. NULL entries are left out.
static const char *write_model(int64_t count, const char *location, const char *offset, const char *length) {
    oq_text file, graph, tensor;
    oq_text_init(&file, &mem);
    oq_text_init(&graph, &mem);
    oq_text_init(&tensor, &mem);
    wire_value(&graph, GRAPH_INPUT, "x");
    wire_tensor(&tensor, "w", ONNXQ_FLOAT, &count, 1);
    if (location) wire_entry(&tensor, "location", location);
    if (offset) wire_entry(&tensor, "offset", offset);
    if (length) wire_entry(&tensor, "length", length);
    wire_entry(&tensor, "checksum", "0000");
    wire_int(&tensor, TENSOR_LOCATION, 1);
    wire_message(&graph, GRAPH_INITIALIZER, &tensor);
    wire_text(&graph, 4711, "unknown");
    oq_text node;
    oq_text_init(&node, &mem);
    wire_text(&node, NODE_INPUT, "x");
    wire_text(&node, NODE_INPUT, "w");
    wire_text(&node, NODE_OUTPUT, "y");
    wire_text(&node, NODE_OP, "Add");
    wire_message(&graph, GRAPH_NODE, &node);
    wire_value(&graph, GRAPH_OUTPUT, "y");
    wire_model(&file, &graph);
    char *path = path_in(folder, "m.onnx");
    put(path, oq_text_get(&file), file.length);
    oq_text_release(&file);
    return path;
}

static oq_model *load(const char *path) {
    oq_error err = {0};
    oq_model *model = NULL;
    CK_OK(oq_onnx_load(&mem, path, &model, &err), &err);
    return model;
}

// The value of w in a model: [first, first + 4 * count) of the pattern.
static void expect_weight(const oq_model *model, size_t first, size_t count) {
    oq_error err = {0};
    oq_tensor tensor = {0};
    const oq_value_id id = oq_graph_find(model->graph, "w");
    ck_assert_int_ne(id, OQ_NONE);
    CK_OK(oq_constant_load(&mem, oq_graph_value(model->graph, id)->initializer, &tensor, &err), &err);
    ck_assert_int_eq(oq_tensor_count(&tensor), (int64_t)count);
    for (size_t i = 0; i < count * 4; i++)
        ck_assert_uint_eq(((const uint8_t *)tensor.data)[i], (uint8_t)((first + i) * 7));
    oq_tensor_release(&tensor);
}

static bool is_external(const oq_model *model) {
    return oq_graph_value(model->graph, oq_graph_find(model->graph, "w"))->initializer->external;
}

START_TEST(data_are_found_in_the_folder) {
    static const struct {
        const char *location, *offset, *length;
        int64_t count;
        size_t first;
    } good[] = {{"w.bin", "8", "400", 100, 8},    {"w.bin", NULL, NULL, 1024, 0},
                {"deep/w.bin", "0", "40", 10, 0}, {"inside", "4056", "40", 10, 4056},
                {"./w.bin", "1", "4", 1, 1},      {"w.bin", "4096", "0", 0, 0}};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        oq_model *model = load(write_model(good[i].count, good[i].location, good[i].offset, good[i].length));
        ck_assert(is_external(model));
        expect_weight(model, good[i].first, (size_t)good[i].count);
        oq_model_free(model);
    }
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

START_TEST(everything_else_is_refused) {
    static const struct {
        const char *location, *offset, *length, *says;
        oq_status status;
    } bad[] = {
        {"../secret.bin", "0", "400", "only files inside the model's own folder", ONNXQ_BAD_MODEL},
        {"deep/../w.bin", "0", "400", "only files inside", ONNXQ_BAD_MODEL},
        {"..", "0", "400", "only files inside", ONNXQ_BAD_MODEL},
        {"/etc/passwd", "0", "400", "only files inside", ONNXQ_BAD_MODEL},
        {"outside", "0", "400", "the link leads out of the model's folder", ONNXQ_BAD_MODEL},
        {"up/secret.bin", "0", "400", "the link leads out of the model's folder", ONNXQ_BAD_MODEL},
        {"missing.bin", "0", "400", "No such file", ONNXQ_IO},
        {"deep", "0", "400", "a folder", ONNXQ_IO},
        {"", "0", "400", "without a location", ONNXQ_BAD_MODEL},
        {NULL, "0", "400", "without a location", ONNXQ_BAD_MODEL},
        {"w.bin", "3697", "400", "beyond the end", ONNXQ_BAD_MODEL},
        {"w.bin", "9223372036854775807", "400", "beyond the end", ONNXQ_BAD_MODEL},
        {"w.bin", "18446744073709551615", "400", "no number of bytes", ONNXQ_BAD_MODEL},
        {"w.bin", "-8", "400", "no number of bytes", ONNXQ_BAD_MODEL},
        {"w.bin", "0x10", "400", "no number of bytes", ONNXQ_BAD_MODEL},
        {"w.bin", "0", "396", "396 bytes where shape and type need 400", ONNXQ_BAD_MODEL},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        oq_error err = {0};
        oq_model *model = NULL;
        const char *path = write_model(100, bad[i].location, bad[i].offset, bad[i].length);
        const oq_status status = oq_onnx_load(&mem, path, &model, &err);
        ck_assert_msg(status == bad[i].status, "case %zu: %d %s", i, (int)status, err.message);
        ck_assert_msg(strstr(err.message, bad[i].says), "'%s' does not say '%s'", err.message, bad[i].says);
        ck_assert_msg(strstr(err.message, "tensor 'w'"), "'%s' names no tensor", err.message);
        ck_assert_str_eq(err.tensor, "w");
    }
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

START_TEST(bytes_have_no_folder) {
    oq_error err = {0};
    oq_model *model = NULL;
    uint8_t *bytes = NULL;
    size_t count = 0;
    CK_OK(oq_file_read_all(&mem, write_model(100, "w.bin", "0", "400"), &bytes, &count, &err), &err);
    ck_assert_int_eq(oq_onnx_parse(&mem, bytes, count, "m", &model, &err), ONNXQ_BAD_MODEL);
    ck_assert_ptr_nonnull(strstr(err.message, "given as bytes"));
    oq_mem_free(&mem, bytes);
}
END_TEST

static size_t size_of(const char *path) {
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    return (size_t)info.st_size;
}

static size_t count_entries(const char *where) {
    char **names = NULL;
    size_t count = 0;
    oq_error err = {0};
    CK_OK(oq_path_list(&mem, where, &names, &count, &err), &err);
    oq_path_list_free(&mem, names, count);
    return count;
}

static void save(const oq_model *model, const char *path, bool external) {
    const oq_onnx_save_options options = {.external_data = external, .external_minimum = 16};
    oq_error err = {0};
    CK_OK(oq_onnx_save(model, path, &options, &err), &err);
}

START_TEST(beside_the_old_file_data_stay_where_they_are) {
    oq_model *model = load(write_model(100, "w.bin", "8", "400"));
    const size_t before = count_entries(folder), size = size_of(path_in(folder, "m.onnx"));
    save(model, path_in(folder, "m.onnx"), false); // in == out
    ck_assert_uint_eq(size_of(path_in(folder, "m.onnx")), size);
    oq_error err = {0};
    CK_OK(oq_model_set_metadata(model, "a", "b", &err), &err);
    save(model, path_in(folder, "m2.onnx"), false);
    ck_assert_uint_eq(count_entries(folder), before + 1);
    oq_model_free(model);
    model = load(path_in(folder, "m2.onnx"));
    ck_assert(is_external(model));
    ck_assert_str_eq(oq_model_metadata(model, "a"), "b");
    expect_weight(model, 8, 100);
    oq_model_free(model);
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

START_TEST(to_another_folder_data_come_along) {
    oq_model *model = load(write_model(512, "w.bin", "8", "2048"));
    save(model, path_in(other, "n.onnx"), false);
    oq_model_free(model);
    ck_assert_uint_eq(count_entries(other), 2);
    test_remove_folder(folder);
    model = load(path_in(other, "n.onnx"));
    ck_assert(is_external(model));
    expect_weight(model, 8, 512);
    oq_model_free(model);
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

START_TEST(on_request_data_go_outside_and_back) {
    oq_model *model = load(write_model(512, "w.bin", "8", "2048"));
    oq_text inline_bytes;
    oq_text_init(&inline_bytes, &mem);
    oq_error err = {0};
    CK_OK(oq_onnx_format(model, &inline_bytes, &err), &err); // in memory nothing can be outside
    oq_model_free(model);
    put(path_in(folder, "inline.onnx"), oq_text_get(&inline_bytes), inline_bytes.length);
    oq_text_release(&inline_bytes);
    model = load(path_in(folder, "inline.onnx"));
    ck_assert(!is_external(model));
    expect_weight(model, 8, 512);
    const size_t before = count_entries(folder);
    save(model, path_in(folder, "inline.onnx"), true); // over the file that it reads from
    expect_weight(model, 8, 512);
    save(model, path_in(folder, "twin.onnx"), true); // the same contents: the same data file
    ck_assert_uint_eq(count_entries(folder), before + 2);
    oq_model_free(model);
    ck_assert_uint_lt(size_of(path_in(folder, "inline.onnx")), 400);
    model = load(path_in(folder, "twin.onnx"));
    ck_assert(is_external(model));
    expect_weight(model, 8, 512);
    oq_model_free(model);
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

START_TEST(a_data_file_is_never_overwritten) {
    oq_model *model = load(write_model(512, "w.bin", "8", "2048"));
    save(model, path_in(other, "n.onnx"), false);
    char **names = NULL;
    size_t count = 0;
    oq_error err = {0};
    CK_OK(oq_path_list(&mem, other, &names, &count, &err), &err);
    const char *data = strstr(names[0], ".data") ? names[0] : names[1];
    put(path_in(other, data), "changed", 7);
    ck_assert_int_eq(oq_onnx_save(model, path_in(other, "n.onnx"), NULL, &err), ONNXQ_IO);
    ck_assert_ptr_nonnull(strstr(err.message, "remove it"));
    ck_assert_uint_eq(size_of(path_in(other, data)), 7);
    oq_path_list_free(&mem, names, count);
    oq_model_free(model);
}
END_TEST

START_TEST(a_failed_save_leaves_nothing) {
    oq_model *model = load(write_model(512, "w.bin", "8", "2048"));
    ck_assert_int_eq(mkdir(path_in(other, "n.onnx"), 0755), 0); // a folder stands in the way
    oq_error err = {0};
    ck_assert_int_eq(oq_onnx_save(model, path_in(other, "n.onnx"), NULL, &err), ONNXQ_IO);
    ck_assert_uint_eq(count_entries(other), 1);
    oq_model_free(model);
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("onnx external data");
    TCase *tcase = tcase_create("external");
    tcase_add_checked_fixture(tcase, begin_folders, end_folders);
    tcase_add_test(tcase, data_are_found_in_the_folder);
    tcase_add_test(tcase, everything_else_is_refused);
    tcase_add_test(tcase, bytes_have_no_folder);
    tcase_add_test(tcase, beside_the_old_file_data_stay_where_they_are);
    tcase_add_test(tcase, to_another_folder_data_come_along);
    tcase_add_test(tcase, on_request_data_go_outside_and_back);
    tcase_add_test(tcase, a_data_file_is_never_overwritten);
    tcase_add_test(tcase, a_failed_save_leaves_nothing);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
