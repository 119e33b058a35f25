// Law of the opset upgrade: the model of the higher opset computes the same. On small models of old opsets,
// and on the models of Debian's libonnx-testdata when they are there.
#include "onnx/onnx.h"
#include "passes/passes.h"
#include "support/graphs.h"
#include "support/outputs.h"
#include "support/support.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static oq_mem mem;
static const int64_t targets[] = {13, 17, 21};
#define TARGETS (sizeof targets / sizeof targets[0])

// Old forms: axes, pads, limits, sizes as attributes.
static const struct {
    int64_t opset;
    const char *text;
} olds[] = {
    {7,
     "in x float32[1,3,1,4]\na = Squeeze(x) axes=[0,2]\nb = Unsqueeze(a) axes=[1]\ny = ReduceSum(b) axes=[1] "
     "keepdims=0\nout y\n"},
    {8, "in x float32[2,3,4]\na = Clip(x) min=-0.5 max=0.25\nb = Pad(a) pads=[0,1,0,0,0,2] value=3.0\n"
        "y = Slice(b) axes=[1,2] starts=[1,-3] ends=[3,9]\nout y\n"},
    {9, "in x float32[2,3,4]\na = Softmax(x)\nb = LogSoftmax(x) axis=2\nc = Softmax(x) axis=1\nout a b c\n"},
    {9, "in x float32[2,6]\na, b = Split(x) axis=1 split=[2,4]\nc, d = TopK(b) k=2\nout a c d\n"},
    {9, "in x float32[1,2,3,3]\nconst s float32[4] 1 1 2 2\ny = Upsample(x, s) mode=\"nearest\"\nout y\n"},
    {10, "in x float32[1,2,3,3]\nconst s float32[4] 1 1 2 2\ny = Resize(x, s) mode=\"nearest\"\nout y\n"},
    {7, "in x float32[2,3]\na, m = Dropout(x) ratio=0.5\ny = Relu(a)\nout y\n"},
    {7, "in x float32[1,2,4,4]\nrandom s float32[2] 1 1\nconst v float32[2] 0.5\n"
        "y = BatchNormalization(x, s, s, s, v) epsilon=0.01 momentum=0.5 spatial=1\nout y\n"},
    {7, "in x float32[3,4]\nrandom w float32[4,2] 1 1\nrandom c float32[2] 2 1\ny = Gemm(x, w, c)\nout y\n"},
    {11, "in x float32[2,3,4]\na = ReduceMean(x) axes=[1]\nb = ReduceMax(x) axes=[-1] keepdims=0\nout a b\n"},
    {7, "in x float32[2,3]\na = Cast(x) to=6\nb = Cast(a) to=1\ny = Add(b, x)\nout y\n"},
};

static size_t refused;

// Brings a copy of `model` to each target and compares.
static void same_after_upgrade(oq_model *model, const char *name) {
    oq_error err = {0};
    test_outputs before, after;
    test_outputs_run(model, 3, &before);
    const int64_t from = oq_model_opset(model, "");
    for (size_t t = 0; t < TARGETS; t++) {
        if (targets[t] <= from) continue;
        oq_model *copy = NULL;
        CK_OK(oq_model_clone(model, &copy, &err), &err);
        const oq_status status = oq_pass_upgrade_opset(copy, targets[t], &err);
        if (status == ONNXQ_UNSUPPORTED) { // said, not done wrongly
            oq_error_clear(&err);
            oq_model_free(copy);
            refused++;
            continue;
        }
        CK_OK(status, &err);
        ck_assert_int_eq(oq_model_opset(copy, ""), targets[t]);
        CK_OK(oq_graph_check(copy->graph, &err), &err);
        CK_OK(oq_check_graph(copy->graph, true, &err), &err);
        test_outputs_run(copy, 3, &after);
        char what[512];
        snprintf(what, sizeof what, "%s, opset %d to %d", name, (int)from, (int)targets[t]);
        test_outputs_equal(&before, &after, 1e-6, what);
        test_outputs_release(&after);
        oq_model_free(copy);
    }
    test_outputs_release(&before);
}

START_TEST(old_forms_compute_the_same) {
    oq_error err = {0};
    oq_model *model = test_graph(&mem, olds[_i].opset, olds[_i].text);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    same_after_upgrade(model, olds[_i].text);
    oq_model_free(model);
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

START_TEST(scales_of_upsample_7) {
    oq_error err = {0};
    const float scales[] = {1, 1, 2, 3};
    oq_model *model = test_graph(&mem, 7, "in x float32[1,2,3,3]\ny = Upsample(x) mode=\"nearest\"\nout y\n");
    CK_OK(oq_node_set_floats(model->graph, test_producer(model, "y"), "scales", scales, 4, &err), &err);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    same_after_upgrade(model, "Upsample");
    oq_model_free(model);
}
END_TEST

START_TEST(ir_3_lets_initializers_go) {
    oq_error err = {0};
    oq_model *model = test_graph(&mem, 8, "in x float32[2]\nconst k float32[2] 1 2\ny = Add(x, k)\nout y\n");
    const oq_value_id k = test_value(model, "k");
    model->ir_version = 3;
    CK_OK(oq_graph_add_input(model->graph, k, &err), &err);
    CK_OK(oq_pass_upgrade_opset(model, 8, &err), &err); // nothing to do
    ck_assert_uint_eq(model->graph->input_count, 2);
    CK_OK(oq_pass_upgrade_opset(model, 13, &err), &err);
    ck_assert_int_ge(model->ir_version, 7);
    ck_assert_uint_eq(model->graph->input_count, 1);
    ck_assert_ptr_nonnull(oq_graph_constant(model->graph, k));
    CK_OK(oq_pass_upgrade_opset(model, 9, &err), &err); // never down
    ck_assert_int_eq(oq_model_opset(model, ""), 13);
    oq_model_free(model);
}
END_TEST

START_TEST(an_unknown_operator_is_named) {
    oq_error err = {0};
    oq_model *model = test_graph(&mem, 8, "in x float32[2]\ny = NobodyKnows(x) name=\"n\"\nout y\n");
    ck_assert_int_eq(oq_pass_upgrade_opset(model, 13, &err), ONNXQ_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "'n'"));
    ck_assert_ptr_nonnull(strstr(err.message, "NobodyKnows"));
    oq_model_free(model);
}
END_TEST

// --- models of libonnx-testdata ---

static size_t seen, compared;

// Only what our runtime runs, with inputs that we can make up, deterministically.
static bool can_compare(oq_model *model) {
    const oq_graph *graph = model->graph;
    oq_error err = {0};
    if (oq_model_opset(model, "") >= 21 || graph->input_count > TEST_MOST_OUTPUTS) return false;
    if (graph->output_count > TEST_MOST_OUTPUTS || oq_infer_graph(model->graph, &err) != ONNXQ_OK)
        return false;
    for (size_t i = 0; i < graph->input_count; i++) {
        const oq_type *type = &oq_graph_value(graph, graph->inputs[i])->type;
        // Integer inputs are shapes, axes and positions, which cannot be made up.
        if (type->kind != OQ_TYPE_TENSOR || type->rank < 0 || !oq_dtype_info(type->dtype)->is_float)
            return false;
    }
    for (size_t i = 0; i < graph->node_count; i++) {
        const oq_op *op = NULL;
        if (!oq_op_of_node(model, graph->nodes[i], &op) || (op->flags & OQ_OP_RANDOM)) return false;
    }
    test_outputs outputs;
    const bool runs = test_outputs_try(model, 3, &outputs, &err) == ONNXQ_OK;
    test_outputs_release(&outputs);
    return runs;
}

static int visit(const char *path, const struct stat *info, int flag, struct FTW *ftw) {
    (void)ftw;
    const char *dot = strrchr(path, '.');
    if (flag != FTW_F || !dot || strcmp(dot, ".onnx") != 0 || info->st_size > 100000) return 0;
    seen++;
    oq_model *model = NULL;
    oq_error err = {0};
    CK_OK(oq_onnx_load(&mem, path, &model, &err), &err);
    if (can_compare(model)) {
        same_after_upgrade(model, path);
        compared++;
    }
    oq_model_free(model);
    return 0;
}

START_TEST(models_of_old_opsets_compute_the_same) {
    const char *folder = getenv("ONNXQ_TESTDATA");
    if (!folder) folder = "/usr/share/libonnx-testdata/data";
    nftw(folder, visit, 16, FTW_PHYS);
    if (seen)
        printf("%zu of %zu models of %s compared after upgrades, %zu upgrades refused\n", compared, seen,
               folder, refused);
    else
        printf("skipped: no models in %s (Debian's libonnx-testdata; or set ONNXQ_TESTDATA)\n", folder);
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("passes opset");
    TCase *tcase = tcase_create("upgrade");
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, old_forms_compute_the_same, 0, (int)(sizeof olds / sizeof olds[0]));
    tcase_add_test(tcase, scales_of_upsample_7);
    tcase_add_test(tcase, ir_3_lets_initializers_go);
    tcase_add_test(tcase, an_unknown_operator_is_named);
    tcase_add_test(tcase, models_of_old_opsets_compute_the_same);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
