// Law: reading a model and writing it unchanged gives the same bytes; and what was edited still says the
// same.
#include "onnx/onnx.h"
#include "support/support.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static oq_mem mem;

static void same_bytes_back(const char *path) {
    oq_error err = {0};
    oq_model *model = NULL;
    uint8_t *bytes = NULL;
    size_t count = 0;
    oq_text text;
    oq_text_init(&text, &mem);
    CK_OK(oq_onnx_load(&mem, path, &model, &err), &err);
    CK_OK(oq_onnx_format(model, &text, &err), &err);
    CK_OK(oq_file_read_all(&mem, path, &bytes, &count, &err), &err);
    ck_assert_msg(count == text.length && !memcmp(bytes, oq_text_get(&text), count), "%s changed", path);
    oq_mem_free(&mem, bytes);
    oq_text_release(&text);
    oq_model_free(model);
}

// Edits every graph without changing what it says: all of it is made anew. Then the same again from the
// result: the second export must equal the first.
static void says_the_same_when_made_anew(const char *path) {
    oq_error err = {0};
    oq_text texts[2], prints[2];
    oq_model *model = NULL;
    CK_OK(oq_onnx_load(&mem, path, &model, &err), &err);
    for (int round = 0; round < 2; round++) {
        oq_text_init(&texts[round], &mem);
        oq_text_init(&prints[round], &mem);
        CK_OK(oq_graph_print(model->graph, &prints[round], &err), &err);
        model->changed = true;
        for (oq_graph *graph = model->graphs; graph; graph = graph->next) {
            graph->changed = true;
            for (size_t i = 0; i < graph->node_count; i++) oq_graph_touch_node(graph, graph->nodes[i]);
            for (size_t i = 0; i < graph->node_count; i++)
                for (size_t a = 0; a < graph->nodes[i]->attr_count; a++)
                    graph->nodes[i]->attrs[a].origin.size = 0;
            for (size_t i = 0; i < graph->value_count; i++) oq_graph_touch_value(graph, (oq_value_id)i);
        }
        for (oq_constant *constant = model->constants; constant; constant = constant->next)
            constant->origin.size = 0;
        CK_OK(oq_onnx_format(model, &texts[round], &err), &err);
        oq_model_free(model);
        CK_OK(oq_onnx_parse(&mem, (const uint8_t *)oq_text_get(&texts[round]), texts[round].length, path,
                            &model, &err),
              &err);
    }
    oq_model_free(model);
    ck_assert_str_eq(oq_text_get(&prints[0]), oq_text_get(&prints[1]));
    ck_assert_msg(texts[0].length == texts[1].length &&
                      !memcmp(oq_text_get(&texts[0]), oq_text_get(&texts[1]), texts[0].length),
                  "%s: made anew it is not the same twice", path);
    for (int round = 0; round < 2; round++) {
        oq_text_release(&texts[round]);
        oq_text_release(&prints[round]);
    }
}

static size_t seen;

static int visit(const char *path, const struct stat *info, int flag, struct FTW *ftw) {
    (void)ftw;
    const char *dot = strrchr(path, '.');
    if (flag != FTW_F || !dot || strcmp(dot, ".onnx") != 0) return 0;
    same_bytes_back(path);
    if (info->st_size < 200000) says_the_same_when_made_anew(path);
    seen++;
    return 0;
}

static const char *testdata(void) {
    const char *folder = getenv("ONNXQ_TESTDATA");
    return folder ? folder : "/usr/share/libonnx-testdata/data";
}

START_TEST(models_come_back_byte_by_byte) {
    seen = 0;
    nftw(testdata(), visit, 16, FTW_PHYS);
    if (seen) {
        printf("%zu models of %s read and written\n", seen, testdata());
        ck_assert_uint_ge(seen, getenv("ONNXQ_TESTDATA") ? 1 : 1072);
    } else {
        printf("skipped: no models in %s (Debian's libonnx-testdata; or set ONNXQ_TESTDATA)\n", testdata());
    }
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

START_TEST(models_of_the_project_come_back) {
    seen = 0;
    nftw(test_source_path("models"), visit, 16, FTW_PHYS);
    ck_assert_uint_ge(seen, 1);
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("onnx round trip");
    TCase *tcase = tcase_create("round trip");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, models_come_back_byte_by_byte);
    tcase_add_test(tcase, models_of_the_project_come_back);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
