// Gemm reads constant matrices as runtimes want them, to the same sums; what others read stays.
#include "passes/passes.h"
#include "support/quantized.h"
#include "support/support.h"

#include <stdio.h>

static const struct {
    const char *nodes;
    int64_t transposes; // transB of the Gemm that makes y, behind the pass
} graphs[] = {
    {"random w float32[5,6] 1 1\nrandom b float32[5] 2 1\ny = Gemm(x, w, b) transB=1 alpha=0.5\nout y", 0},
    {"random w float32[6,5] 1 1\ny = Gemm(x, w)\nout y", 0},
    {"random w float32[5,3] 1 1\ny = Gemm(x, w) transA=1 transB=1\nout y", 0},
    {"random w float32[5,6] 1 1\nt = Neg(w)\ny = Gemm(x, w) transB=1\nout y t", 1},
    {"random w float32[5,6] 1 1\ny = Gemm(x, w) transB=1\nout y w", 1},
    {"random w float32[5,6] 1 1\nz = Gemm(x, w) transB=1\ny = Gemm(x, w) transB=1\nout y z", 1},
    {"w = Neg(x)\ny = Gemm(x, w) transB=1\nout y", 1},
};

START_TEST(weights_are_turned) {
    test_pair pair;
    oq_error err = {0};
    char text[512];
    snprintf(text, sizeof text, "in x float32[3,6]\n%s", graphs[_i].nodes);
    test_pair_init(&pair, 13, text);
    CK_OK(oq_pass_turn_weights(pair.model->graph, &err), &err);
    CK_OK(oq_check_graph(pair.model->graph, false, &err), &err);
    ck_assert_int_eq(oq_node_int(test_producer(pair.model, "y"), "transB", 0), graphs[_i].transposes);
    ck_assert_double_eq(test_pair_sqnr(&pair), 999);
    test_pair_release(&pair);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("passes/turn_weights");
    TCase *c = tcase_create("turn_weights");
    tcase_add_loop_test(c, weights_are_turned, 0, sizeof graphs / sizeof *graphs);
    suite_add_tcase(suite, c);
    return test_main(suite);
}
