// The law that the order of samples does not matter: the same file and the same figures from shuffled
// samples.
#include "data/data.h"
#include "onnxq/onnxq.h"
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 4 };

// Sample `i` of the first becomes sample (7 i + 3) modulo their number of the second.
static void shuffle(const char *from, const char *to) {
    oq_mem mem = {0};
    oq_error err = {0};
    oq_npz *npz;
    const char *names[MOST];
    oq_tensor given[MOST], shuffled[MOST];
    CK_OK(oq_npz_open(&mem, from, &npz, &err), &err);
    const size_t count = oq_npz_count(npz);
    ck_assert_uint_le(count, MOST);
    for (size_t k = 0; k < count; k++) {
        names[k] = oq_npz_name(npz, k);
        CK_OK(oq_npz_get(npz, k, &given[k], &err), &err);
        CK_OK(oq_tensor_new(&mem, given[k].dtype, &given[k].shape, &shuffled[k], &err), &err);
        const size_t rows = (size_t)given[k].shape.dim[0], bytes = oq_tensor_bytes(&given[k]) / rows;
        ck_assert_uint_ne(rows % 7, 0);
        for (size_t i = 0; i < rows; i++)
            memcpy((char *)shuffled[k].data + (7 * i + 3) % rows * bytes,
                   (const char *)given[k].data + i * bytes, bytes);
    }
    CK_OK(oq_npz_write(&mem, to, names, shuffled, count, &err), &err);
    for (size_t k = 0; k < count; k++) {
        oq_tensor_release(&given[k]);
        oq_tensor_release(&shuffled[k]);
    }
    oq_npz_close(npz);
}

typedef struct setting {
    onnxq_session *session;
    onnxq_model *model;
    onnxq_data *data[2];
    char folder[512], file[2][600];
} setting;

static void setup(setting *s, const char *name) {
    onnxq_error err = {0};
    char path[256], shuffled[600];
    test_temporary_folder(s->folder, sizeof s->folder);
    snprintf(shuffled, sizeof shuffled, "%s/shuffled.npz", s->folder);
    snprintf(path, sizeof path, "models/%s/calib.npz", name);
    shuffle(test_source_path(path), shuffled);
    const onnxq_session_options options = {.threads = 2};
    CK_OK(onnxq_session_new(&options, &s->session, &err), &err);
    const char *source = test_source_path(path), *other = shuffled;
    snprintf(s->file[0], sizeof s->file[0], "%s", source);
    source = s->file[0];
    snprintf(path, sizeof path, "models/%s/model.onnx", name);
    CK_OK(onnxq_model_load(s->session, test_source_path(path), &s->model, &err), &err);
    CK_OK(onnxq_data_open(s->model, &source, 1, &s->data[0], &err), &err);
    CK_OK(onnxq_data_open(s->model, &other, 1, &s->data[1], &err), &err);
    for (int i = 0; i < 2; i++) snprintf(s->file[i], sizeof s->file[i], "%s/%d.onnx", s->folder, i);
}

static void teardown(setting *s) {
    onnxq_data_free(s->data[0]);
    onnxq_data_free(s->data[1]);
    onnxq_model_free(s->model);
    onnxq_session_free(s->session);
    test_remove_folder(s->folder);
}

static void expect_same_files(const setting *s) {
    char command[1300];
    snprintf(command, sizeof command, "cmp '%s' '%s'", s->file[0], s->file[1]);
    ck_assert_int_eq(system(command), 0);
}

// The line of the report that tells the figures of the comparison.
static void copy_figures(const onnxq_report *report, char *into, size_t size) {
    const char *line = strstr(onnxq_report_text(report), "\noutput ");
    ck_assert_ptr_nonnull(line);
    snprintf(into, size, "%.*s", (int)strcspn(line + 1, "\n"), line + 1);
}

static void convert_both(const setting *s, const onnxq_convert_options *options) {
    char figures[2][512];
    for (int i = 0; i < 2; i++) {
        onnxq_error err = {0};
        onnxq_model *quantized;
        onnxq_report *report;
        CK_OK(onnxq_convert(s->model, NULL, s->data[i], options, &quantized, &report, &err), &err);
        CK_OK(onnxq_model_save(quantized, s->file[i], NULL, &err), &err);
        copy_figures(report, figures[i], sizeof figures[i]);
        onnxq_report_free(report);
        onnxq_model_free(quantized);
    }
    expect_same_files(s);
    ck_assert_str_eq(figures[0], figures[1]);
}

START_TEST(shuffled_samples_give_the_same_model) {
    static const char *const names[] = {"mlp", "cnn"};
    setting s = {0};
    setup(&s, names[_i]);
    onnxq_convert_options options = onnxq_convert_defaults();
    convert_both(&s, &options);
    options.format = ONNXQ_FORMAT_QDQ;
    options.weight_bits = 4;
    options.rounding = ONNXQ_ROUNDING_GPTQ;
    convert_both(&s, &options);
    teardown(&s);
}
END_TEST

START_TEST(shuffled_samples_meet_targets_alike) {
    setting s = {0};
    setup(&s, "mlp");
    onnxq_convert_options options = onnxq_convert_defaults();
    options.format = ONNXQ_FORMAT_QDQ;
    options.metric = ONNXQ_METRIC_SQNR;
    options.budget = 46;
    convert_both(&s, &options);
    options.metric = ONNXQ_METRIC_NONE;
    options.target_bits = 5;
    convert_both(&s, &options);
    teardown(&s);
}
END_TEST

START_TEST(shuffled_samples_rank_layers_alike) {
    setting s = {0};
    setup(&s, "cnn");
    const onnxq_convert_options options = onnxq_convert_defaults();
    onnxq_report *report[2];
    for (int i = 0; i < 2; i++) {
        onnxq_error err = {0};
        CK_OK(onnxq_sensitivity(s.model, NULL, s.data[i], &options, 8, &report[i], &err), &err);
    }
    ck_assert_str_eq(onnxq_report_text(report[0]), onnxq_report_text(report[1]));
    onnxq_report_free(report[0]);
    onnxq_report_free(report[1]);
    teardown(&s);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("order");
    TCase *tcase = tcase_create("laws");
    tcase_set_timeout(tcase, 300);
    tcase_add_loop_test(tcase, shuffled_samples_give_the_same_model, 0, 2);
    tcase_add_test(tcase, shuffled_samples_meet_targets_alike);
    tcase_add_test(tcase, shuffled_samples_rank_layers_alike);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
