// Laws of the statistics cache as the public functions show it: a hit runs no sample, and gives the same
// model.
#include "onnxq/onnxq.h"
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct talk {
    size_t calibrated, notes;
} talk;

static void progress(void *self, const char *stage, size_t done, size_t total) {
    talk *t = self;
    (void)done, (void)total;
    if (strcmp(stage, "calibrating") == 0) t->calibrated++;
}

static void note(void *self, const char *sentence) {
    talk *t = self;
    (void)sentence;
    t->notes++;
}

// Converts models/mlp into `out`; tells what was heard meanwhile.
static talk convert(const char *cache, onnxq_method method, const char *out) {
    talk heard = {0};
    onnxq_error err = {0};
    const onnxq_session_options options = {
        .threads = 1, .cache = cache, .self = &heard, .progress = progress, .note = note};
    onnxq_session *session;
    onnxq_model *model, *quantized;
    onnxq_data *data;
    CK_OK(onnxq_session_new(&options, &session, &err), &err);
    CK_OK(onnxq_model_load(session, test_source_path("models/mlp/model.onnx"), &model, &err), &err);
    const char *source = test_source_path("models/mlp/calib.npz");
    CK_OK(onnxq_data_open(model, &source, 1, &data, &err), &err);
    onnxq_convert_options how = onnxq_convert_defaults();
    how.method = method;
    how.verify_samples = 0;
    CK_OK(onnxq_convert(model, NULL, data, &how, &quantized, NULL, &err), &err);
    CK_OK(onnxq_model_save(quantized, out, NULL, &err), &err);
    onnxq_model_free(quantized);
    onnxq_data_free(data);
    onnxq_model_free(model);
    onnxq_session_free(session);
    return heard;
}

static void expect_same_files(const char *a, const char *b) {
    char command[1200];
    snprintf(command, sizeof command, "cmp -s '%s' '%s'", a, b);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(a_hit_runs_no_sample) {
    char folder[512], cache[600], plain[600], cached[600];
    test_temporary_folder(folder, sizeof folder);
    snprintf(cache, sizeof cache, "%s/deep/cache", folder);
    snprintf(plain, sizeof plain, "%s/plain.onnx", folder);
    snprintf(cached, sizeof cached, "%s/cached.onnx", folder);
    ck_assert_uint_gt(convert(NULL, ONNXQ_METHOD_AUTO, plain).calibrated, 0);
    ck_assert_uint_gt(convert(NULL, ONNXQ_METHOD_AUTO, plain).calibrated, 0);
    ck_assert_uint_gt(convert(cache, ONNXQ_METHOD_AUTO, cached).calibrated, 0);
    expect_same_files(plain, cached);
    const talk hit = convert(cache, ONNXQ_METHOD_AUTO, cached);
    ck_assert(hit.calibrated == 0 && hit.notes == 0);
    expect_same_files(plain, cached);
    ck_assert_uint_eq(convert(cache, ONNXQ_METHOD_ENTROPY, cached).calibrated, 0);
    convert(NULL, ONNXQ_METHOD_ENTROPY, plain);
    expect_same_files(plain, cached);
    test_remove_folder(folder);
}
END_TEST

// A folder that cannot be made is told, and is no error.
START_TEST(a_cache_that_cannot_be_written_is_a_note) {
    char folder[512], out[600];
    test_temporary_folder(folder, sizeof folder);
    snprintf(out, sizeof out, "%s/out.onnx", folder);
    const talk heard = convert("/dev/null/cache", ONNXQ_METHOD_AUTO, out);
    ck_assert(heard.calibrated > 0 && heard.notes == 1);
    test_remove_folder(folder);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("cache");
    TCase *tcase = tcase_create("laws");
    tcase_add_test(tcase, a_hit_runs_no_sample);
    tcase_add_test(tcase, a_cache_that_cannot_be_written_is_a_note);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
