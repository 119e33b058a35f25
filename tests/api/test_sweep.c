// Sweeps through the public functions: one calibration pass for all widths, rows that are what convert and
// verify say, and a picture.
#include "onnxq/onnxq.h"
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

typedef struct setting {
    size_t calibrated; // samples
    onnxq_session *session;
    onnxq_model *model;
    onnxq_data *data, *judges;
} setting;

static void progress(void *self, const char *stage, size_t done, size_t total) {
    setting *s = self;
    (void)done, (void)total;
    if (strcmp(stage, "calibrating") == 0) s->calibrated++;
}

static void begin(setting *s, const char *folder) {
    char path[256];
    onnxq_error err = {0};
    const char *source;
    *s = (setting){0};
    const onnxq_session_options options = {.threads = 1, .self = s, .progress = progress};
    CK_OK(onnxq_session_new(&options, &s->session, &err), &err);
    snprintf(path, sizeof path, "models/%s/model.onnx", folder);
    CK_OK(onnxq_model_load(s->session, test_source_path(path), &s->model, &err), &err);
    snprintf(path, sizeof path, "models/%s/calib.npz", folder);
    source = test_source_path(path);
    CK_OK(onnxq_data_open(s->model, &source, 1, &s->data, &err), &err);
    snprintf(path, sizeof path, "models/%s/eval.npz", folder);
    source = test_source_path(path);
    CK_OK(onnxq_data_open(s->model, &source, 1, &s->judges, &err), &err);
}

static void end(setting *s) {
    onnxq_data_free(s->judges);
    onnxq_data_free(s->data);
    onnxq_model_free(s->model);
    onnxq_session_free(s->session);
}

static double number(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

static json_t *rows_of(const onnxq_report *report, json_t **root) {
    *root = json_loads(onnxq_report_json(report), 0, NULL);
    return json_object_get(*root, "widths");
}

START_TEST(one_pass_serves_all_widths) {
    static const onnxq_widths widths[] = {{16, 16}, {12, 12}, {10, 10}, {8, 8},
                                          {6, 6},   {4, 4},   {3, 3},   {2, 2}};
    const size_t count = sizeof widths / sizeof *widths;
    onnxq_error err = {0};
    onnxq_report *report;
    setting s;
    json_t *root;
    begin(&s, "cnn");
    const onnxq_convert_options how = onnxq_convert_defaults();
    const onnxq_sweep_options sweep = {.widths = widths, .width_count = count};
    CK_OK(onnxq_sweep(s.model, NULL, s.data, &how, &sweep, &report, &err), &err);
    ck_assert_uint_eq(s.calibrated, onnxq_data_count(s.data));
    const json_t *rows = rows_of(report, &root);
    ck_assert_uint_eq(json_array_size(rows), count);
    for (size_t i = 1; i < count; i++)
        ck_assert(number(json_array_get(rows, i), "sqnr_db") <
                  number(json_array_get(rows, i - 1), "sqnr_db"));
    json_decref(root);
    onnxq_report_free(report);
    end(&s);
}
END_TEST

// The same widths converted, saved and verified one by one.
static void expect_row(setting *s, const onnxq_convert_options *how, const json_t *row, const char *path) {
    onnxq_error err = {0};
    onnxq_model *quantized, *again;
    onnxq_report *report;
    onnxq_verify_options verify = onnxq_verify_defaults();
    verify.labels = test_source_path("models/mlp/labels.npy");
    CK_OK(onnxq_convert(s->model, NULL, s->data, how, &quantized, NULL, &err), &err);
    CK_OK(onnxq_model_save(quantized, path, NULL, &err), &err);
    CK_OK(onnxq_model_load(s->session, path, &again, &err), &err);
    CK_OK(onnxq_verify(s->model, again, s->judges, &verify, &report, &err), &err);
    json_t *root = json_loads(onnxq_report_json(report), 0, NULL);
    const json_t *output = json_array_get(json_object_get(root, "outputs"), 0);
    ck_assert(number(row, "sqnr_db") == number(output, "sqnr_db"));
    ck_assert(number(row, "agreement") == number(output, "agreement"));
    ck_assert(number(row, "accuracy") == number(output, "accuracy_model"));
    FILE *file = fopen(path, "rb");
    ck_assert_ptr_nonnull(file);
    fseek(file, 0, SEEK_END);
    ck_assert_int_eq(ftell(file), (long)number(row, "bytes"));
    fclose(file);
    json_decref(root);
    onnxq_report_free(report);
    onnxq_model_free(again);
    onnxq_model_free(quantized);
}

START_TEST(a_row_is_what_convert_and_verify_say) {
    static const onnxq_widths widths[] = {{8, 8}, {4, 8}, {5, 16}};
    char folder[512], path[600];
    char labels[512];
    onnxq_error err = {0};
    onnxq_report *report;
    setting s;
    json_t *root;
    begin(&s, "mlp");
    test_temporary_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/q.onnx", folder);
    snprintf(labels, sizeof labels, "%s", test_source_path("models/mlp/labels.npy"));
    onnxq_convert_options how = onnxq_convert_defaults();
    how.format = ONNXQ_FORMAT_QDQ;
    how.verify_samples = 0;
    const onnxq_sweep_options sweep = {
        .widths = widths, .width_count = 3, .judges = s.judges, .labels = labels};
    CK_OK(onnxq_sweep(s.model, NULL, s.data, &how, &sweep, &report, &err), &err);
    const json_t *rows = rows_of(report, &root);
    for (size_t i = 0; i < 3; i++) {
        how.weight_bits = widths[i].weight_bits;
        how.activation_bits = widths[i].activation_bits;
        expect_row(&s, &how, json_array_get(rows, i), path);
    }
    json_decref(root);
    onnxq_report_free(report);
    test_remove_folder(folder);
    end(&s);
}
END_TEST

START_TEST(misuse_is_told) {
    static const onnxq_widths good[] = {{8, 8}}, bad[] = {{8, 17}};
    onnxq_error err = {0};
    onnxq_report *report = NULL;
    setting s;
    begin(&s, "mlp");
    const onnxq_convert_options how = onnxq_convert_defaults();
    onnxq_sweep_options sweep = {.widths = bad, .width_count = 1};
    ck_assert_int_eq(onnxq_sweep(s.model, NULL, s.data, &how, &sweep, &report, &err), ONNXQ_USAGE);
    sweep.width_count = 0;
    ck_assert_int_eq(onnxq_sweep(s.model, NULL, s.data, &how, &sweep, &report, &err), ONNXQ_USAGE);
    sweep = (onnxq_sweep_options){.widths = good, .width_count = 1};
    ck_assert_int_eq(onnxq_sweep(s.model, NULL, NULL, &how, &sweep, &report, &err), ONNXQ_USAGE);
    ck_assert_ptr_null(report);
    CK_OK(onnxq_inspect(s.model, &report, &err), &err);
    ck_assert_ptr_null(onnxq_report_svg(report));
    ck_assert_int_eq(onnxq_report_save(report, ONNXQ_REPORT_PICTURE, "/dev/null/x", &err), ONNXQ_USAGE);
    ck_assert_int_eq(onnxq_report_save(report, ONNXQ_REPORT_JSON, "/dev/null/x", &err), ONNXQ_IO);
    onnxq_report_free(report);
    end(&s);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("sweep");
    TCase *tcase = tcase_create("laws");
    tcase_set_timeout(tcase, 300);
    tcase_add_test(tcase, one_pass_serves_all_widths);
    tcase_add_test(tcase, a_row_is_what_convert_and_verify_say);
    tcase_add_test(tcase, misuse_is_told);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
