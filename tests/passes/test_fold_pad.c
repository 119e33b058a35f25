// Pads of zeros go into the convolution behind them, all others stay.
#include "passes/passes.h"
#include "support/graphs.h"
#include "support/support.h"

#include <stdio.h>

static oq_mem mem;

#define HEAD "in x float32[1,3,6,7]\nrandom w float32[4,3,3,3] 1 1\n"

static const struct {
    const char *nodes;
    int64_t pads[4]; // of the convolution behind; -1: it keeps its Pad
} cases[] = {
    {"const p int64[8] 0 0 1 2 0 0 3 4\nh = Pad(x, p)\ny = Conv(h, w)", {1, 2, 3, 4}},
    {"const p int64[8] 0 0 1 2 0 0 3 4\nconst z float32[] 0\nh = Pad(x, p, z)\ny = Conv(h, w) pads=[1,1,1,1]",
     {2, 3, 4, 5}},
    {"const p int64[4] 2 1 4 3\nconst a int64[2] -1 2\nh = Pad(x, p, , a)\ny = Conv(h, w) auto_pad=\"VALID\"",
     {1, 2, 3, 4}},
    {"const p int64[8] 0 0 1 2 0 0 3 4\nconst z float32[] 1\nh = Pad(x, p, z)\ny = Conv(h, w)", {-1}},
    {"const p int64[8] 0 0 1 1 0 0 1 1\nh = Pad(x, p) mode=\"reflect\"\ny = Conv(h, w)", {-1}},
    {"const p int64[8] 0 0 1 -1 0 0 1 1\nh = Pad(x, p)\ny = Conv(h, w)", {-1}},
    {"const p int64[8] 1 0 1 1 0 0 1 1\nh = Pad(x, p)\ny = Conv(h, w)", {-1}},
    {"const p int64[8] 0 0 1 1 0 0 1 1\nh = Pad(x, p)\ny = Conv(h, w) auto_pad=\"SAME_UPPER\"", {-1}},
    {"in p int64[8]\nh = Pad(x, p)\ny = Conv(h, w)", {-1}},
};

START_TEST(folded_or_not) {
    char text[1024];
    oq_error err = {0};
    snprintf(text, sizeof text, HEAD "%s\nout y", cases[_i].nodes);
    oq_model *model = test_graph(&mem, 18, text);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    const oq_type before = oq_graph_value(model->graph, test_value(model, "y"))->type;
    CK_OK(oq_pass_fold_pads(model->graph, &err), &err);
    CK_OK(oq_graph_sweep(model->graph, true, &err), &err);
    const bool stays = cases[_i].pads[0] < 0;
    ck_assert_uint_eq(test_count(model, "Pad"), stays);
    if (!stays) {
        size_t count;
        const int64_t *pads = oq_node_ints(test_producer(model, "y"), "pads", &count);
        ck_assert_uint_eq(count, 4);
        for (size_t i = 0; i < 4; i++) ck_assert_int_eq(pads[i], cases[_i].pads[i]);
        ck_assert_str_eq(oq_node_string(test_producer(model, "y"), "auto_pad", "NOTSET"), "NOTSET");
    }
    // The shape of the result is what it was: inference contradicts otherwise.
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    for (int d = 0; d < before.rank; d++)
        ck_assert_int_eq(before.dim[d].size,
                         oq_graph_value(model->graph, test_value(model, "y"))->type.dim[d].size);
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

START_TEST(others_keep_the_pad) {
    oq_error err = {0};
    oq_model *model = test_graph(&mem, 13,
                                 HEAD "const p int64[8] 0 0 1 1 0 0 1 1\nh = Pad(x, p)\ny = Conv(h, w)\n"
                                      "z = Relu(h)\nout y z");
    CK_OK(oq_pass_fold_pads(model->graph, &err), &err);
    ck_assert_uint_eq(test_count(model, "Pad"), 1);
    ck_assert_int_eq(test_producer(model, "y")->inputs[0], test_value(model, "x"));
    oq_model_free(model);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("fold_pad");
    TCase *tcase = tcase_create("fold_pad");
    tcase_add_loop_test(tcase, folded_or_not, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tcase, others_keep_the_pad);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
