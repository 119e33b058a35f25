// Products of one-hot rows and functions of looked up rows become look-ups that give the same for every id.
#include "passes/passes.h"
#include "support/quantized.h"
#include "support/support.h"

#include <stdio.h>

static test_pair pair;

// Ids -3 .. 8 for matrices of 6 rows: some have no row.
#define HEAD                                                                                                 \
    "in x float32[3,5]\ni = Cast(x) to=6\nconst a int64[1] -1\nu = Unsqueeze(i, a)\n"                        \
    "const n int32[1,1,6] 0 1 2 3 4 5\nrandom w float32[6,4] 1 1\n"
#define ONE_HOT "e = Equal(u, n)\nc = Cast(e) to=1\n"

static void begin(const char *text) {
    test_pair_init(&pair, 13, text);
    pair.low = -3.9F;
    pair.high = 8.9F;
}

static void finish(double least) {
    oq_error err = {0};
    CK_OK(oq_graph_sweep(pair.model->graph, true, &err), &err);
    CK_OK(oq_infer_graph(pair.model->graph, &err), &err);
    CK_OK(oq_pass_fold_constants(pair.model->graph, &err), &err);
    CK_OK(oq_infer_graph(pair.model->graph, &err), &err);
    CK_OK(oq_check_graph(pair.model->graph, false, &err), &err);
    ck_assert_double_ge(test_pair_sqnr(&pair), least);
    test_pair_release(&pair);
}

static const struct {
    const char *nodes;
    size_t count;
} products[] = {
    {HEAD ONE_HOT "y = MatMul(c, w)\nout y", 1},
    {HEAD "e = Equal(n, u)\nc = Cast(e) to=1\ny = MatMul(c, w)\nout y", 1},
    {HEAD
     "const s int64[3] 3 5 6\nv = Expand(u, s)\ne = Equal(v, n)\nc = Cast(e) to=1\ny = MatMul(c, w)\nout y",
     1},
    {HEAD
     "const s int64[3] 3 -1 1\nv = Reshape(i, s)\ne = Equal(v, n)\nc = Cast(e) to=1\ny = MatMul(c, w)\nout y",
     1},
    {HEAD ONE_HOT "y = MatMul(c, w)\nz = Neg(c)\nout y z", 1}, // the one-hot rows stay for the other
    {HEAD "const m int32[6] 0 1 2 3 5 4\ne = Equal(u, m)\nc = Cast(e) to=1\ny = MatMul(c, w)\nout y", 0},
    {HEAD "e = Equal(u, n)\nc = Cast(e) to=11\nd = Cast(c) to=1\ny = MatMul(d, w)\nout y", 0},
    {HEAD ONE_HOT
     "random k float32[2,6,4] 1 1\nconst s int64[2] 15 6\nr = Reshape(c, s)\ny = MatMul(r, k)\nout y",
     0},
    {HEAD ONE_HOT "const k float32[6,1] 1 2 3 inf\ny = MatMul(c, k)\nz = Neg(x)\nout z y", 0},
    {HEAD "f = Cast(u) to=1\nconst m float32[1,1,6] 0 1 2 3 4 5\ne = Equal(f, m)\nc = Cast(e) to=1\n"
          "y = MatMul(c, w)\nout y",
     0},
};

START_TEST(one_hot_products) {
    oq_error err = {0};
    size_t count;
    begin(products[_i].nodes);
    CK_OK(oq_pass_look_up(pair.model->graph, &count, &err), &err);
    ck_assert_uint_eq(count, products[_i].count);
    ck_assert_str_eq(test_producer(pair.model, "y")->op_type, count ? "Gather" : "MatMul");
    if (count)
        finish(999);
    else
        test_pair_release(&pair);
}
END_TEST

#define ROWS HEAD "const l int32[] 0\nconst g int32[] 5\nk = Clip(i, l, g)\n"
static const struct {
    const char *nodes;
    size_t count;
} functions[] = {
    {ROWS "r = Gather(w, k)\nrandom b float32[1,1,4] 2 1\ns = Add(b, r)\nt = Tanh(s)\nq = Mul(s, t)\n"
          "const h float32[1] 0.5\ny = Mul(q, h)\nout y",
     1},
    {ROWS "r = Gather(w, k)\ny = Sigmoid(r)\nout y", 1},
    {ROWS "r = Gather(w, k)\ny = Sigmoid(r)\nout y r", 0},             // both are wanted
    {ROWS "r = Gather(w, k)\ny = Sigmoid(r)\nz = Neg(w)\nout y z", 0}, // the table is
    {ROWS "random p float32[6,6] 3 1\nr = Gather(p, k) axis=1\ny = Sigmoid(r)\nout y", 0},
    {ROWS "r = Gather(w, k)\nrandom b float32[5,4] 2 1\ny = Add(r, b)\nout y", 0},     // differs by position
    {ROWS "r = Gather(w, k)\nrandom b float32[1,1,1,4] 2 1\ny = Add(r, b)\nout y", 0}, // widens
    {ROWS "r = Gather(w, k)\ny = Softmax(r)\nout y", 0},
};

START_TEST(functions_of_rows) {
    oq_error err = {0};
    size_t count;
    begin(functions[_i].nodes);
    CK_OK(oq_pass_functions_of_rows(pair.model->graph, &count, &err), &err);
    ck_assert_uint_eq(count, functions[_i].count);
    if (count) {
        ck_assert_str_eq(test_producer(pair.model, "y")->op_type, "Gather");
        CK_OK(oq_graph_sweep(pair.model->graph, true, &err), &err);
        ck_assert_uint_eq(test_count(pair.model, "Gather"), 1);
    }
    finish(999);
}
END_TEST

// Preparation does both and folds what arises.
START_TEST(prepared) {
    oq_error err = {0};
    oq_regions regions;
    begin(HEAD ONE_HOT "r = MatMul(c, w)\nrandom b float32[4] 2 1\ns = Add(r, b)\ny = Tanh(s)\nout y");
    CK_OK(oq_prepare_model(pair.model, &regions, &err), &err);
    oq_regions_release(&regions);
    ck_assert_str_eq(test_producer(pair.model, "y")->op_type, "Gather");
    ck_assert_uint_eq(test_count(pair.model, "Tanh") + test_count(pair.model, "Add"), 0);
    finish(999);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("passes/look_up");
    TCase *cases = tcase_create("cases");
    tcase_add_loop_test(cases, one_hot_products, 0, (int)(sizeof products / sizeof *products));
    tcase_add_loop_test(cases, functions_of_rows, 0, (int)(sizeof functions / sizeof *functions));
    tcase_add_test(cases, prepared);
    suite_add_tcase(suite, cases);
    return test_main(suite);
}
