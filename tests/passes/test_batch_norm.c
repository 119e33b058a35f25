// Folding of scale and shift per channel: outputs stay, the nodes go where they can and only there, and a
// second time there is nothing to do.
#include "passes/passes.h"
#include "support/graphs.h"
#include "support/outputs.h"
#include "support/support.h"

#include <string.h>

static oq_mem mem;

// Constants that the cases share: 6 channels.
#define SHARED                                                                                               \
    "random s float32[6] 11 1.5\nrandom b float32[6] 12 1\nrandom m float32[6] 13 1\n"                       \
    "const v float32[6] 0.5 1 1.5 2 0.25 3\nrandom c3 float32[6,1,1] 14 2\n"                                 \
    "random c4 float32[1,6,1,1] 15 2\nrandom row float32[1,6] 16 2\nconst two float32[] 2\n"                 \
    "random wide float32[1,6,5,5] 17 1\n"
#define CONV   "in x float32[2,4,7,7]\nrandom w float32[6,4,3,3] 1 1\nrandom cb float32[6] 2 1\n" SHARED
#define BEFORE "in x float32[2,6,7,7]\nconst v4 float32[1,6,1,1] 0.5 1 1.5 2 0.25 3\n" SHARED
#define GEMM   "in x float32[3,5]\nrandom w float32[5,6] 1 1\nrandom wt float32[6,5] 2 1\n" SHARED

typedef struct folding {
    const char *name;
    size_t left; // nodes after the pass
    const char *text;
} folding;

static const folding folds[] = {
    {"conv, batch norm", 1, CONV "a = Conv(x, w)\ny = BatchNormalization(a, s, b, m, v)\nout y\n"},
    {"conv with bias", 1,
     CONV "a = Conv(x, w, cb) pads=[1,1,1,1]\ny = BatchNormalization(a, s, b, m, v) epsilon=0.1\nout y\n"},
    {"grouped conv", 1,
     CONV
     "random g float32[6,2,3,3] 3 1\na = Conv(x, g) group=2\ny = BatchNormalization(a, s, b, m, v)\nout y\n"},
    {"depthwise", 1,
     "in x float32[1,6,8,8]\n" SHARED
     "random g float32[6,1,3,3] 3 1\na = Conv(x, g) group=6\ny = BatchNormalization(a, s, b, m, v)\nout y\n"},
    {"transposed", 1,
     CONV "random t float32[4,6,3,3] 3 1\na = ConvTranspose(x, t) strides=[2,2]\n"
          "y = BatchNormalization(a, s, b, m, v)\nout y\n"},
    {"transposed in groups", 1,
     CONV "random t float32[4,3,3,3] 3 1\na = ConvTranspose(x, t, cb) group=2\n"
          "y = BatchNormalization(a, s, b, m, v)\nout y\n"},
    {"a chain of all", 1,
     CONV "a = Conv(x, w)\nd = Mul(a, c3)\ne = Add(c4, d)\nf = Sub(two, e)\ng = Div(f, two)\nh = Sub(g, c3)\n"
          "y = BatchNormalization(h, s, b, m, v)\nout y\n"},
    {"gemm", 1, GEMM "a = Gemm(x, w) alpha=0.5\ny = BatchNormalization(a, s, b, m, v)\nout y\n"},
    {"gemm, beta and row", 1,
     GEMM "a = Gemm(x, wt, row) transB=1 beta=0.5\nd = Mul(a, s)\ny = Add(d, row)\nout y\n"},
    {"gemm, scalar C", 1, GEMM "a = Gemm(x, w, two) beta=3.0\ny = Mul(a, row)\nout y\n"},
    {"gemm, matrix C", 1,
     GEMM "random c float32[3,6] 3 1\na = Gemm(x, w, c) beta=0.5\ny = Mul(a, s)\nout y\n"},
    {"gemm, column C", 1, GEMM "random c float32[3,1] 3 1\na = Gemm(x, w, c)\ny = Mul(a, s)\nout y\n"},
    {"matmul, scale", 1, GEMM "a = MatMul(x, w)\nd = Mul(a, s)\ny = Div(d, two)\nout y\n"},
    {"matmul, batch norm leaves an Add", 2,
     GEMM "a = MatMul(x, w)\ny = BatchNormalization(a, s, b, m, v)\nout y\n"},
    {"norm before conv", 1,
     "in x float32[2,6,7,7]\n" SHARED
     "random w float32[4,6,3,3] 1 1\na = BatchNormalization(x, s, b, m, v)\ny = Conv(a, w)\nout y\n"},
    {"norm before grouped conv", 1,
     "in x float32[2,6,7,7]\n" SHARED
     "random w float32[4,3,3,3] 1 1\na = BatchNormalization(x, s, b, m, v)\ny = Conv(a, w) group=2\nout y\n"},
    {"norm before transposed conv of one element", 1,
     BEFORE "random t float32[6,4,1,1] 3 1\na = BatchNormalization(x, s, b, m, v)\n"
            "y = ConvTranspose(a, t)\nout y\n"},
    {"scale before transposed conv in groups", 1,
     BEFORE "random t float32[6,2,3,3] 3 1\na = Div(x, v4)\n"
            "y = ConvTranspose(a, t) group=2 strides=[2,2] pads=[1,1,1,1]\nout y\n"},
    {"norm before gemm", 1,
     "in x float32[3,6]\n" SHARED "random w float32[6,5] 1 1\nrandom g float32[5] 2 1\n"
     "a = BatchNormalization(x, s, b, m, v)\ny = Gemm(a, w, g) alpha=0.5 beta=2.0\nout y\n"},
    {"norm before turned gemm with matrix C", 1,
     "in x float32[3,6]\n" SHARED "random w float32[5,6] 1 1\nrandom g float32[3,5] 2 1\n"
     "a = BatchNormalization(x, s, b, m, v)\ny = Gemm(a, w, g) transB=1\nout y\n"},
    {"scale and shift before gemm, turned input", 1,
     "in x float32[6,3]\n" SHARED "random w float32[6,5] 1 1\nconst vc float32[6,1] 1 2 3 2 1 2\n"
     "a = Mul(x, vc)\nd = Sub(two, a)\ny = Gemm(d, w) transA=1\nout y\n"},
    {"norm before flatten and gemm", 2,
     BEFORE "random w float32[294,5] 1 1\na = BatchNormalization(x, s, b, m, v)\nd = Flatten(a)\n"
            "y = Gemm(d, w)\nout y\n"},
    {"norm before matmul becomes an Add", 2,
     "in x float32[3,6]\n" SHARED "random w float32[6,5] 1 1\na = BatchNormalization(x, s, b, m, v)\n"
     "y = MatMul(a, w)\nout y\n"},
    {"scale before a stack of matrices", 1,
     "in x float32[2,3,6]\n" SHARED "random w float32[6,5] 1 1\na = Mul(v, x)\ny = MatMul(a, w)\nout y\n"},
    {"norm written out before conv", 1,
     BEFORE "random w float32[4,6,3,3] 1 1\nrandom g float32[4] 2 1\na = Mul(x, v4)\nd = Add(c4, a)\n"
            "y = Conv(d, w, g) strides=[2,2]\nout y\n"},
    {"scale before padded conv", 1,
     BEFORE "random w float32[6,1,3,3] 1 1\na = Mul(v4, x)\ny = Conv(a, w) group=6 pads=[1,1,1,1]\nout y\n"},
    {"weights shared by two", 2,
     CONV "a = Conv(x, w)\nd = BatchNormalization(a, s, b, m, v)\ny = Conv(x, w)\nout d y\n"},
    // where it must stay
    {"shift before padded conv", 2,
     BEFORE "random w float32[4,6,3,3] 1 1\na = Add(x, c4)\ny = Conv(a, w) pads=[1,1,1,1]\nout y\n"},
    {"norm before transposed conv", 2,
     BEFORE "random t float32[6,4,3,3] 3 1\na = BatchNormalization(x, s, b, m, v)\n"
            "y = ConvTranspose(a, t)\nout y\n"},
    {"shift before transposed conv with gaps", 2,
     BEFORE "random t float32[6,4,1,1] 3 1\na = Add(x, c4)\ny = ConvTranspose(a, t) strides=[2,2]\nout y\n"},
    {"shift before matmul", 2,
     "in x float32[3,6]\n" SHARED "random w float32[6,5] 1 1\na = Add(x, s)\ny = MatMul(a, w)\nout y\n"},
    {"channels far apart", 2,
     BEFORE "random w float32[4,6,3,3] 1 1\nconst far float32[1,6,1,1] 1 1 1 1 1 17\na = Mul(x, far)\n"
            "y = Conv(a, w)\nout y\n"},
    {"a scale that widens", 2,
     "in x float32[2,1,7,7]\n" SHARED
     "random w float32[4,6,3,3] 1 1\na = Mul(x, c4)\ny = Conv(a, w)\nout y\n"},
    {"the last step of HardSwish", 5,
     BEFORE
     "const z float32[] 0\nconst six float32[] 6\nconst three float32[] 3\nrandom w float32[4,6,3,3] 1 1\n"
     "h = Add(x, three)\nk = Clip(h, z, six)\ng = Mul(x, k)\na = Div(g, six)\n"
     "y = Conv(a, w)\nout y\n"},
    {"read by two", 3,
     BEFORE "random w float32[4,6,3,3] 1 1\na = Mul(x, v4)\ny = Conv(a, w)\nd = Relu(a)\nout d y\n"},
    {"norm before padded conv", 2,
     "in x float32[2,6,7,7]\n" SHARED "random w float32[4,6,3,3] 1 1\na = BatchNormalization(x, s, b, m, v)\n"
     "y = Conv(a, w) pads=[1,1,1,1]\nout y\n"},
    {"numbers before padded conv: the shift stays", 2,
     BEFORE "random w float32[4,6,3,3] 1 1\nconst k float32[] 2\nconst j float32[1] 3\nd = Mul(k, x)\n"
            "a = Add(d, j)\ny = Conv(a, w) pads=[1,1,1,1]\nout y\n"},
    {"numbers, read by two", 4,
     BEFORE "random w float32[4,6,3,3] 1 1\nconst k float32[] 2\nconst j float32[1] 3\nd = Mul(k, x)\n"
            "a = Add(d, j)\ny = Conv(a, w) pads=[1,1,1,1]\nz = Relu(d)\nout y z\n"},
    {"a scale of 0 by number", 3,
     BEFORE "random w float32[4,6,3,3] 1 1\nconst k float32[] 0\nconst j float32[1] 3\nd = Mul(k, x)\n"
            "a = Add(d, j)\ny = Conv(a, w) pads=[1,1,1,1]\nout y\n"},
    {"norm before SAME conv", 2,
     "in x float32[2,6,7,7]\n" SHARED "random w float32[4,6,3,3] 1 1\na = BatchNormalization(x, s, b, m, v)\n"
     "y = Conv(a, w) auto_pad=\"SAME_UPPER\"\nout y\n"},
    {"two readers", 3, CONV "a = Conv(x, w)\nd = Mul(a, c3)\ny = Relu(a)\nout d y\n"},
    {"a graph output", 2, CONV "a = Conv(x, w)\ny = Mul(a, c3)\nout a y\n"},
    {"not per channel", 2, CONV "a = Conv(x, w)\ny = Mul(a, wide)\nout y\n"},
    {"constant over y", 2, CONV "a = Conv(x, w)\ny = Div(two, a)\nout y\n"},
    {"more dimensions", 2, GEMM "a = Gemm(x, w)\ny = Mul(a, c4)\nout y\n"},
    {"bias that is computed", 2, CONV "in k float32[6]\na = Conv(x, w, k)\ny = Mul(a, c3)\nout y\n"},
    {"weights that are computed", 2, CONV "in k float32[6,4,3,3]\na = Conv(x, k)\ny = Mul(a, c3)\nout y\n"},
    {"scale that is computed", 2, CONV "in k float32[6,1,1]\na = Conv(x, w)\ny = Mul(a, k)\nout y\n"},
    {"matmul, a lone Add", 2, GEMM "a = MatMul(x, w)\ny = Add(a, s)\nout y\n"},
    {"matmul of rank 3, batch norm over axis 1", 2,
     "in x float32[2,6,5]\nrandom w float32[5,6] 1 1\n" SHARED
     "a = MatMul(x, w)\ny = BatchNormalization(a, s, b, m, v)\nout y\n"},
    {"division by zero", 2, CONV "const z float32[6,1,1] 0\na = Conv(x, w)\ny = Div(a, z)\nout y\n"},
};

// As the preparation of models does it.
static void fold_both(oq_graph *graph) {
    oq_error err = {0};
    oq_regions regions = {0};
    CK_OK(oq_pass_fold_batch_norm(graph, &err), &err);
    CK_OK(oq_infer_graph(graph, &err), &err);
    CK_OK(oq_pass_find_regions(graph, &regions, &err), &err);
    CK_OK(oq_pass_fold_batch_norm_before(graph, &err), &err);
    oq_regions_release(&regions);
    CK_OK(oq_infer_graph(graph, &err), &err);
}

START_TEST(outputs_stay) {
    const folding *fold = &folds[_i];
    oq_error err = {0};
    oq_model *model = test_graph(&mem, 15, fold->text);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    test_outputs before, after;
    test_outputs_run(model, 5, &before);
    fold_both(model->graph);
    CK_OK(oq_graph_check(model->graph, &err), &err);
    size_t left = 0;
    for (size_t i = 0; i < model->graph->node_count; i++) left += !model->graph->nodes[i]->dead;
    ck_assert_msg(left == fold->left, "%s: %zu nodes left, not %zu", fold->name, left, fold->left);
    test_outputs_run(model, 5, &after);
    test_outputs_equal(&before, &after, 1e-5, fold->name);
    oq_text once = test_graph_text(model);
    fold_both(model->graph);
    oq_text twice = test_graph_text(model);
    ck_assert_str_eq(oq_text_get(&once), oq_text_get(&twice));
    oq_text_release(&once);
    oq_text_release(&twice);
    test_outputs_release(&before);
    test_outputs_release(&after);
    oq_model_free(model);
    ck_assert_uint_eq(atomic_load(&mem.used), 0);
}
END_TEST

START_TEST(names_stay_where_nobody_shares) {
    oq_error err = {0};
    oq_model *model = test_graph(&mem, 15, folds[1].text);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    CK_OK(oq_pass_fold_batch_norm(model->graph, &err), &err);
    const oq_node *conv = test_producer(model, "y");
    ck_assert_str_eq(oq_graph_value(model->graph, conv->inputs[1])->name, "w");
    ck_assert_str_eq(oq_graph_value(model->graph, conv->inputs[2])->name, "cb");
    oq_model_free(model);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("passes batch norm");
    TCase *tcase = tcase_create("batch norm");
    tcase_add_loop_test(tcase, outputs_stay, 0, (int)(sizeof folds / sizeof folds[0]));
    tcase_add_test(tcase, names_stay_where_nobody_shares);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
