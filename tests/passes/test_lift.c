// Constants per channel are lifted across changes of shape, and then fold into the product.
#include "passes/passes.h"
#include "support/graphs.h"
#include "support/outputs.h"
#include "support/support.h"

#include <stdio.h>

static oq_mem mem;

#define HEAD                                                                                                 \
    "in x float32[1,3,6,1]\nrandom w float32[4,3,1,1] 1 1\nrandom c float32[4,1] 2 1\nrandom d float32[6] "  \
    "3 "                                                                                                     \
    "1\nconst two float32[] 2\nconst i int64[1] 3\nconst flat int64[2] 1 24\nh = Conv(x, w)\n"

static size_t nodes_left(const char *text) {
    oq_error err = {0};
    test_outputs before, after;
    oq_model *model = test_graph(&mem, 13, text);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    test_outputs_run(model, 1, &before);
    CK_OK(oq_pass_lift_constants(model->graph, &err), &err);
    CK_OK(oq_pass_fold_batch_norm(model->graph, &err), &err);
    CK_OK(oq_graph_check(model->graph, &err), &err);
    test_outputs_run(model, 1, &after);
    test_outputs_equal(&before, &after, 1e-5, text);
    test_outputs_release(&before);
    test_outputs_release(&after);
    size_t left = 0;
    for (size_t n = 0; n < model->graph->node_count; n++) left += !model->graph->nodes[n]->dead;
    oq_model_free(model);
    return left;
}

START_TEST(lifted_or_not) {
    static const struct {
        size_t left; // once folded
        const char *tail;
    } cases[] = {
        {2, "s = Squeeze(h, i)\ny = Add(s, c)\nout y"},
        {2, "s = Squeeze(h, i)\na = Mul(s, c)\ny = Sub(a, c)\nout y"},
        {2, "s = Squeeze(h, i)\ny = Sub(c, s)\nout y"},
        {3, "s = Squeeze(h, i)\nt = Unsqueeze(s, i)\ny = Div(t, two)\nout y"},
        {2, "s = Reshape(h, flat)\ny = Mul(s, two)\nout y"},
        {3, "s = Squeeze(h, i)\ny = Add(s, d)\nout y"},                // not along the channels
        {3, "s = Squeeze(h, i)\ny = Add(s, c)\nout y s"},              // the value between is an output
        {4, "s = Squeeze(h, i)\ny = Add(s, c)\nz = Neg(h)\nout y z"},  // read by others
        {4, "r = Relu(x)\ns = Squeeze(r, i)\ny = Mul(s, two)\nout y"}, // no product before
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char text[1024];
        snprintf(text, sizeof text, HEAD "%s", cases[k].tail);
        ck_assert_msg(nodes_left(text) == cases[k].left, "%s", cases[k].tail);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("lift");
    TCase *tcase = tcase_create("lift");
    tcase_add_test(tcase, lifted_or_not);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
