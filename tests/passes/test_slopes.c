// PRelu as LeakyRelu, or as depthwise convolutions and a sum: outputs stay, and only between convolutions.
#include "passes/passes.h"
#include "support/graphs.h"
#include "support/outputs.h"
#include "support/support.h"

#include <string.h>

static oq_mem mem;
static oq_error err;

enum { MOST_VALUES = 64 };

#define HEAD                                                                                                 \
    "in x float32[1,3,6,6]\nrandom w float32[4,3,3,3] 1 .5\nrandom v float32[2,4,1,1] 2 .5\n"                \
    "const s float32[4,1,1] .25 -.5 0 1\nconst one float32[1] .1\nc = Conv(x, w)\n"
#define TAIL "y = Conv(p, v)\nout y\n"

static const struct {
    const char *name;
    size_t count, convolutions, leaky;
    const char *text;
} cases[] = {
    {"slopes by channel", 1, 4, 0, HEAD "p = PRelu(c, s)\n" TAIL},
    {"with a dimension for images", 1, 4, 0,
     HEAD "const t float32[1,4,1,1] .1 .2 .3 .4\np = PRelu(c, t)\n" TAIL},
    {"one slope", 1, 2, 1, HEAD "p = PRelu(c, one)\n" TAIL},
    {"around sums", 1, 5, 0,
     HEAD "random k float32[4,4,1,1] 3 .5\nd = Conv(c, k)\na = Add(c, d)\np = PRelu(a, s)\n"
          "e = Add(p, a)\ny = Conv(e, v)\nout y\n"},
    {"two in a row of layers", 2, 7, 0,
     HEAD "random k float32[4,4,1,1] 3 .5\nq = PRelu(c, s)\nd = Conv(q, k)\np = PRelu(d, s)\n" TAIL},
    // what is left alone
    {"a graph output", 0, 2, 0, HEAD "p = PRelu(c, s)\ny = Conv(p, v)\nout y p\n"},
    {"read by a function", 0, 2, 0, HEAD "p = PRelu(c, s)\ny = Conv(p, v)\ne = Exp(p)\nout y e\n"},
    {"behind a function", 0, 2, 0, HEAD "e = Exp(c)\np = PRelu(e, s)\n" TAIL},
    {"slopes from 0 on", 1, 4, 0, HEAD "const t float32[4,1,1] .1 0 2 .3\np = PRelu(c, t)\n" TAIL},
    {"slopes below 0 and beyond 1", 0, 2, 0,
     HEAD "const t float32[4,1,1] .1 -.2 2 .3\np = PRelu(c, t)\n" TAIL},
    {"slopes along rows", 0, 2, 0, HEAD "const t float32[4,1] .1 .2 .3 .4\np = PRelu(c, t)\n" TAIL},
    {"computed slopes", 0, 2, 0, HEAD "in t float32[4,1,1]\np = PRelu(c, t)\n" TAIL},
};

static oq_model *load(const char *text) {
    oq_error_clear(&err);
    oq_model *model = test_graph(&mem, 13, text);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    return model;
}

static size_t rewrite(oq_model *model, oq_stats *stats, bool all) {
    bool chosen[MOST_VALUES];
    size_t count;
    for (size_t i = 0; i < MOST_VALUES; i++) chosen[i] = all;
    CK_OK(oq_pass_slopes(model->graph, chosen, stats, &count, &err), &err);
    CK_OK(oq_graph_sweep(model->graph, true, &err), &err);
    CK_OK(oq_graph_check(model->graph, &err), &err);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    return count;
}

START_TEST(outputs_stay) {
    oq_stats *stats;
    oq_model *model = load(cases[_i].text);
    test_outputs before, after;
    CK_OK(oq_stats_new(&mem, &stats, &err), &err);
    test_outputs_run(model, 1, &before);
    ck_assert_msg(rewrite(model, stats, true) == cases[_i].count, "%s", cases[_i].name);
    ck_assert_uint_eq(test_count(model, "Conv"), cases[_i].convolutions);
    ck_assert_uint_eq(test_count(model, "LeakyRelu"), cases[_i].leaky);
    test_outputs_run(model, 1, &after);
    test_outputs_equal(&before, &after, 1e-5, cases[_i].name);
    ck_assert_uint_eq(stats->count, 0); // of values that nothing is known of
    test_outputs_release(&before), test_outputs_release(&after);
    oq_stats_free(stats);
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

// Ranges follow from x's and the slopes; convolutions that stay float leave it alone.
START_TEST(ranges_follow) {
    oq_stats *stats;
    oq_tensor_stats *x;
    oq_model *model = load(cases[0].text);
    CK_OK(oq_stats_new(&mem, &stats, &err), &err);
    CK_OK(oq_stats_ensure(stats, "c", &x, &err), &err);
    x->min = -4, x->max = 2, x->count = 9;
    ck_assert_uint_eq(rewrite(model, stats, false), 0);
    ck_assert_uint_eq(rewrite(model, stats, true), 1);
    const oq_tensor_stats *sloped = oq_stats_find(stats, "p_sloped"),
                          *above = oq_stats_find(stats, "p_above"), *relu = oq_stats_find(stats, "p_upper");
    ck_assert_float_eq(sloped->min, -4);
    ck_assert_float_eq(sloped->max, 2);
    ck_assert_float_eq(above->min, -6);
    ck_assert_float_eq(above->max, 3);
    ck_assert_float_eq(relu->min, 0);
    ck_assert_float_eq(relu->max, 3);
    ck_assert(!sloped->histogram.used && sloped->count == 9);
    oq_stats_free(stats);
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("slopes");
    TCase *tcase = tcase_create("slopes");
    tcase_add_loop_test(tcase, outputs_stay, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tcase, ranges_follow);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
