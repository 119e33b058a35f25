// Raising the opset keeps what a model computes: old forms of operators before and after.
#include "passes/passes.h"
#include "run/run.h"
#include "support/graphs.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>

// Models whose operators change meaning or form between `opset` and the newest.
static const struct {
    const char *name;
    int64_t opset;
    const char *text;
} cases[] = {
    {"Add at an axis", 6,
     "in x float32[2,3,4]\nrandom b float32[3] 7 2\ny = Add(x, b) broadcast=1 axis=1\nout y"},
    {"Sub at the end", 6, "in x float32[2,3,4]\nrandom b float32[4] 7 2\ny = Sub(x, b) broadcast=1\nout y"},
    {"Less at an axis", 6,
     "in x float32[2,3,4]\nrandom b float32[2,3] 7 2\ny = Less(x, b) broadcast=1 axis=0\nout y"},
    {"Pow", 6,
     "in x float32[2,3,4]\nconst b float32[3] 1 2 3\na = Abs(x)\ny = Pow(a, b) broadcast=1 axis=-2\nout y"},
    {"PRelu per channel", 6, "in x float32[2,3,4]\nrandom s float32[3] 7 2\ny = PRelu(x, s)\nout y"},
    {"PRelu with one slope", 6, "in x float32[2,3,4]\nrandom s float32[1] 7 2\ny = PRelu(x, s)\nout y"},
    {"Selu", 5, "in x float32[2,3,4]\ny = Selu(x)\nout y"},
    {"Cast by name", 5, "in x float32[2,3,4]\ny = Cast(x) to=\"INT32\"\nout y"},
    {"Clip", 6, "in x float32[2,3,4]\ny = Clip(x) max=0.5\nout y"},
    {"Dropout", 10, "in x float32[2,3,4]\ny = Dropout(x) ratio=0.25\nout y"},
    {"Dropout's mask", 9, "in x float32[2,3,4]\na, m = Dropout(x)\ny = Mul(m, x)\nout y"},
    {"Tile along an axis", 5,
     "in x float32[2,3,4]\nconst n float32[1] 3\nconst d float32[1] 1\ny = Tile(x, n, d)\nout y"},
    {"Softmax over two axes", 11, "in x float32[2,3,4]\ny = Softmax(x)\nout y"},
    {"Softmax over the last", 11, "in x float32[2,3,4]\ny = Softmax(x) axis=2\nout y"},
    {"LogSoftmax", 8, "in x float32[2,3,4]\ny = LogSoftmax(x) axis=0\nout y"},
    {"Hardmax", 11, "in x float32[2,3,4]\ny = Hardmax(x) axis=-2\nout y"},
    {"ReduceSum", 12, "in x float32[2,3,4]\ny = ReduceSum(x) axes=[1] keepdims=0\nout y"},
    {"ReduceSum over all", 11, "in x float32[2,3,4]\ny = ReduceSum(x)\nout y"},
    {"ReduceMean", 13, "in x float32[2,3,4]\ny = ReduceMean(x) axes=[-1,0]\nout y"},
    {"ReduceL2", 17, "in x float32[2,3,4]\ny = ReduceL2(x) axes=[2] keepdims=0\nout y"},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static oq_tensor run_once(oq_model *model, oq_shape shape) {
    oq_error err = {0};
    oq_program *program;
    oq_worker *worker;
    oq_value y = {.kind = OQ_VALUE_NONE};
    float numbers[24];
    for (int i = 0; i < 24; i++) numbers[i] = (float)(i * 7 % 24) / 4 - 3;
    oq_value x = oq_value_of_tensor(test_tensor_f32(model->mem, shape, numbers));
    CK_OK(oq_program_new(model->graph, NULL, &program, &err), &err);
    CK_OK(oq_worker_new(program, &worker, &err), &err);
    CK_OK(oq_worker_run(worker, &x, &y, NULL, NULL, &err), &err);
    ck_assert_int_eq(y.kind, OQ_VALUE_TENSOR);
    // The worker's buffers end with it: the result is copied.
    oq_tensor kept = {0};
    CK_OK(oq_tensor_new(model->mem, y.tensor.dtype, &y.tensor.shape, &kept, &err), &err);
    memcpy(kept.data, y.tensor.data, oq_tensor_bytes(&y.tensor));
    oq_value_release(&y);
    oq_value_release(&x);
    oq_worker_free(worker);
    oq_program_free(program);
    return kept;
}

START_TEST(values_stay) {
    static const int64_t targets[] = {13, 18, 21, 28};
    for (size_t t = 0; t < sizeof targets / sizeof targets[0]; t++) {
        oq_mem mem = {0};
        oq_error err = {0};
        oq_model *model = test_graph(&mem, cases[_i].opset, cases[_i].text);
        CK_OK(oq_check_graph(model->graph, true, &err), &err);
        CK_OK(oq_infer_graph(model->graph, &err), &err);
        oq_tensor before = run_once(model, OQ_SHAPE(2, 3, 4));
        if (cases[_i].opset < targets[t]) {
            CK_OK(oq_pass_upgrade_opset(model, targets[t], &err), &err);
            ck_assert_int_eq(oq_model_opset(model, ""), targets[t]);
        }
        CK_OK(oq_graph_check(model->graph, &err), &err);
        CK_OK(oq_check_graph(model->graph, true, &err), &err);
        CK_OK(oq_infer_graph(model->graph, &err), &err);
        oq_tensor after = run_once(model, OQ_SHAPE(2, 3, 4));
        ck_assert_msg(oq_tensor_equal(&before, &after), "%s changes from opset %lld to %lld", cases[_i].name,
                      (long long)cases[_i].opset, (long long)targets[t]);
        oq_tensor_release(&before);
        oq_tensor_release(&after);
        oq_model_free(model);
        ck_assert_uint_eq(mem.used, 0);
    }
}
END_TEST

// Without the ranks an alignment cannot be said in the new form: an error, and not another result.
START_TEST(unknown_ranks_are_refused) {
    oq_mem mem = {0};
    oq_error err = {0};
    oq_model *model =
        test_graph(&mem, 6, "in x float32[2,3]\nin b float32[2]\ny = Add(x, b) broadcast=1 axis=0\nout y");
    oq_graph_value(model->graph, test_value(model, "b"))->type.rank = -1;
    ck_assert_int_eq(oq_pass_upgrade_opset(model, 7, &err), ONNXQ_UNSUPPORTED);
    oq_model_free(model);
}
END_TEST

// y = Scan-8 over the steps of x, from the last one: the body adds each step to the state.
static oq_model *batched_scan(oq_mem *mem, const char *input, oq_error *err) {
    char text[256];
    snprintf(text, sizeof text,
             "in %s\nrandom s float32[1,4] 3 1\nend, y = Scan(, s, x) num_scan_inputs=1 "
             "directions=[1]\nz = Add(y, end)\nout z",
             input);
    oq_model *model = test_graph(mem, 8, text);
    oq_node *scan = test_producer(model, "y"), *add, *copy;
    oq_graph *body;
    oq_value_id v[4];
    CK_OK(oq_graph_new(model, model->graph, &body, err), err);
    static const char *const names[] = {"before", "step", "after", "seen"};
    for (int i = 0; i < 4; i++) CK_OK(oq_graph_add_value(body, names[i], &v[i], err), err);
    for (int i = 0; i < 2; i++) CK_OK(oq_graph_add_input(body, v[i], err), err);
    CK_OK(oq_graph_add_node(body, "", "Add", "", v, 2, &v[2], 1, &add, err), err);
    CK_OK(oq_graph_add_node(body, "", "Neg", "", &v[2], 1, &v[3], 1, &copy, err), err);
    for (int i = 2; i < 4; i++) CK_OK(oq_graph_add_output(body, v[i], err), err);
    CK_OK(oq_node_set_graph(model->graph, scan, "body", body, err), err);
    CK_OK(oq_check_graph(model->graph, true, err), err);
    CK_OK(oq_infer_graph(model->graph, err), err);
    return model;
}

START_TEST(scan_of_one_sample_loses_its_batch) {
    oq_mem mem = {0};
    oq_error err = {0};
    oq_model *model = batched_scan(&mem, "x float32[1,6,4]", &err);
    oq_tensor before = run_once(model, OQ_SHAPE(1, 6, 4));
    CK_OK(oq_pass_upgrade_opset(model, 21, &err), &err);
    CK_OK(oq_graph_check(model->graph, &err), &err);
    CK_OK(oq_check_graph(model->graph, true, &err), &err);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    oq_tensor after = run_once(model, OQ_SHAPE(1, 6, 4));
    ck_assert(oq_tensor_equal(&before, &after));
    oq_tensor_release(&before);
    oq_tensor_release(&after);
    oq_model_free(model);
    model = batched_scan(&mem, "x float32[N,6,4]", &err);
    ck_assert_int_eq(oq_pass_upgrade_opset(model, 21, &err), ONNXQ_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "fix the first dimension"));
    oq_model_free(model);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("passes/upgrade");
    TCase *tcase = tcase_create("upgrade");
    tcase_add_loop_test(tcase, values_stay, 0, CASES);
    tcase_add_test(tcase, unknown_ranks_are_refused);
    tcase_add_test(tcase, scan_of_one_sample_loses_its_batch);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
