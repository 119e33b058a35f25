// Splitting of layers by the size of their rows: outputs stay, chains are found where the case says, parts
// keep the whole value's statistics, and rows of one size come together.
#include "passes/passes.h"
#include "support/graphs.h"
#include "support/outputs.h"
#include "support/support.h"

#include <math.h>
#include <string.h>

static oq_mem mem;
static oq_error err;

enum { MOST_VALUES = 64 };

// 24 channels between two layers; every third row of `w1` is 20 times larger, the others of `dw` 9 times.
#define CHANNELS                                                                                             \
    "in x float32[1,4,7,7]\nrandom r1 float32[24,4,3,3] 1 .3\nrandom b float32[24] 2 1\n"                    \
    "const far float32[24,1,1,1] 1 20 1 1 20 1 1 20 1 1 20 1 1 20 1 1 20 1 1 20 1 1 20 1\n"                  \
    "const deep float32[24,1,1,1] 9 1 9 9 1 9 9 1 9 9 1 9 9 1 9 9 1 9 9 1 9 9 1 9\n"                         \
    "random r2 float32[24,1,3,3] 4 .3\nrandom w2 float32[5,24,2,2] 3 .3\nw1 = Mul(r1, far)\ndw = Mul(r2, "   \
    "deep)\n"                                                                                                \
    "const lo float32[] 0\nconst hi float32[] 6\n"

// A layer from these channels to themselves.
#define SQUARE "random r3 float32[24,24,1,1] 5 .3\nw3 = Mul(r3, far)\n"

typedef struct splitting {
    const char *name;
    size_t split;
    const char *text;
} splitting;

static const splitting cases[] = {
    {"two convolutions", 1, CHANNELS "h = Conv(x, w1, b)\ny = Conv(h, w2)\nout y\n"},
    {"no bias, Clip", 1, CHANNELS "h = Conv(x, w1)\nr = Clip(h, lo, hi)\ny = Conv(r, w2)\nout y\n"},
    {"depthwise between", 1,
     CHANNELS "h = Conv(x, w1, b)\nr = Clip(h, lo, hi)\nd = Conv(r, dw, b) group=24 pads=[1,1,1,1]\n"
              "q = HardSwish(d)\ny = Conv(q, w2)\nout y\n"},
    {"pooled", 1, CHANNELS "h = Conv(x, w1, b)\nm = MaxPool(h) kernel_shape=[2,2]\ny = Conv(m, w2)\nout y\n"},
    {"behind each other", 2,
     CHANNELS "random r3 float32[24,24,1,1] 5 .3\nw3 = Mul(r3, far)\nh = Conv(x, w1, b)\nr = Relu(h)\n"
              "k = Conv(r, w3)\ny = Conv(k, w2)\nout y\n"},
    // one order of channels for all that is joined
    {"two readers", 1, CHANNELS "h = Conv(x, w1)\ny = Conv(h, w2)\nz = Conv(h, w2)\nout y z\n"},
    {"a residual sum", 2,
     CHANNELS SQUARE "h = Conv(x, w1, b)\na = Conv(h, w3, b)\nt = Add(h, a)\ny = Conv(t, w2)\nout y\n"},
    {"functions become part of a layer", 1,
     CHANNELS "h = Conv(x, w1, b)\nr = Clip(h, lo, hi)\ny = Conv(r, w2)\nz = Conv(r, w2)\nout y z\n"},
    {"a sum that a depthwise convolution reads", 2,
     CHANNELS SQUARE "h = Conv(x, w1)\na = Conv(h, w3)\nt = Add(h, a)\nd = Conv(t, dw, b) group=24\n"
                     "y = Conv(d, w2)\nout y\n"},
    {"gates", 2,
     CHANNELS SQUARE "h = Conv(x, w1)\np = GlobalAveragePool(h)\na = Conv(p, w3)\ng = Sigmoid(a)\n"
                     "t = Mul(h, g)\ny = Conv(t, w2)\nout y\n"},
    {"pooled for a Gemm", 1,
     CHANNELS "random f float32[5,24] 7 .3\nh = Conv(x, w1, b)\nr = Relu(h)\np = GlobalAveragePool(r)\n"
              "q = Flatten(p)\ny = Gemm(q, f) transB=1\nout y\n"},
    {"a Gemm the other way", 1,
     CHANNELS "random f float32[24,5] 7 .3\nh = Conv(x, w1, b)\np = GlobalAveragePool(h)\nq = Flatten(p)\n"
              "y = Gemm(q, f)\nout y\n"},
    // where nothing may change
    {"a sum with an input", 0,
     CHANNELS "in k float32[1,24,1,1]\nh = Conv(x, w1)\nt = Add(h, k)\ny = Conv(t, w2)\nout y\n"},
    {"a sum with a constant", 0,
     CHANNELS "random k float32[1,24,1,1] 8 1\nh = Conv(x, w1)\nt = Add(h, k)\ny = Conv(t, w2)\nout y\n"},
    {"flattened with its places", 0,
     CHANNELS "random f float32[600,5] 7 .3\nh = Conv(x, w1)\nq = Flatten(h)\ny = Gemm(q, f)\nout y\n"},
    {"alike already", 0, CHANNELS "h = Conv(x, r1)\ny = Conv(h, w2)\nout y\n"},
    {"a graph output", 0, CHANNELS "h = Conv(x, w1)\ny = Conv(h, w2)\nout y h\n"},
    {"read in groups", 0,
     CHANNELS "random g float32[4,12,1,1] 8 1\nh = Conv(x, w1)\ny = Conv(h, g) group=2\nout y\n"},
    {"channels are told apart", 0,
     CHANNELS "random s float32[24,1,1] 8 1\nh = Conv(x, w1)\nr = PRelu(h, s)\ny = Conv(r, w2)\nout y\n"},
    {"a function over channels", 0,
     CHANNELS "h = Conv(x, w1)\nr = Softmax(h) axis=1\ny = Conv(r, w2)\nout y\n"},
    {"bias that is computed", 0, CHANNELS "in k float32[24]\nh = Conv(x, w1, k)\ny = Conv(h, w2)\nout y\n"},
    {"no reader", 0, CHANNELS "y = Conv(x, w1)\nout y\n"},
    {"weights of zeros", 0,
     CHANNELS "const none float32[1] 0\nw0 = Mul(r1, none)\nh = Conv(x, w0)\ny = Conv(h, w2)\nout y\n"},
    {"few channels", 0,
     "in x float32[1,1,3,3]\nconst w1 float32[4,1,1,1] 1 90 1 90\nrandom w2 float32[2,4,1,1] 1 1\n"
     "h = Conv(x, w1)\ny = Conv(h, w2)\nout y\n"},
};

static oq_model *load(const char *text) {
    oq_error_clear(&err);
    oq_model *model = test_graph(&mem, 17, text);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    CK_OK(oq_pass_fold_constants(model->graph, &err), &err);
    CK_OK(oq_graph_sweep(model->graph, true, &err), &err);
    return model;
}

static size_t split(oq_model *model, oq_stats *stats, bool all) {
    bool chosen[MOST_VALUES];
    for (size_t i = 0; i < MOST_VALUES; i++) chosen[i] = all;
    const oq_split_rows_options options = {
        .chosen = chosen, .node_count = model->graph->node_count, .weight_bits = 8};
    size_t count;
    CK_OK(oq_pass_split_rows(model->graph, &options, stats, &count, &err), &err);
    CK_OK(oq_graph_sweep(model->graph, true, &err), &err);
    CK_OK(oq_graph_check(model->graph, &err), &err);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    return count;
}

START_TEST(outputs_stay) {
    const splitting *c = &cases[_i];
    oq_stats *stats;
    oq_model *model = load(c->text);
    test_outputs before, after;
    CK_OK(oq_stats_new(&mem, &stats, &err), &err);
    test_outputs_run(model, 1, &before);
    oq_text was = test_graph_text(model);
    const size_t count = split(model, stats, true);
    ck_assert_msg(count == c->split, "%s: %zu", c->name, count);
    oq_text is = test_graph_text(model);
    ck_assert_msg((strcmp(was.data, is.data) == 0) == (c->split == 0), "%s", c->name);
    test_outputs_run(model, 1, &after);
    test_outputs_equal(&before, &after, 1e-4, c->name);
    ck_assert_uint_eq(stats->count, 0); // of values that nothing is known of
    oq_text_release(&was), oq_text_release(&is);
    test_outputs_release(&before), test_outputs_release(&after);
    oq_stats_free(stats);
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

START_TEST(rows_of_one_size_come_together) {
    oq_stats *stats;
    oq_model *model = load(cases[0].text);
    CK_OK(oq_stats_new(&mem, &stats, &err), &err);
    ck_assert_double_gt(test_row_spread(model, "h"), 15);
    ck_assert_uint_eq(split(model, stats, true), 1);
    ck_assert_double_lt(test_row_spread(model, "h_part_1"), 4);
    ck_assert_double_lt(test_row_spread(model, "h_part_2"), 4);
    oq_stats_free(stats);
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

// The parts and what they are joined to have one range, so that joining moves integers.
START_TEST(parts_keep_statistics) {
    oq_stats *stats;
    oq_tensor_stats *whole;
    oq_model *model = load(cases[0].text);
    CK_OK(oq_stats_new(&mem, &stats, &err), &err);
    CK_OK(oq_stats_ensure(stats, "h", &whole, &err), &err);
    const float x[] = {-3, 0, 5, 7};
    const oq_shape shape = OQ_SHAPE(4);
    oq_tensor t;
    CK_OK(oq_tensor_new(&mem, ONNXQ_FLOAT, &shape, &t, &err), &err);
    memcpy(t.data, x, sizeof x);
    CK_OK(oq_stats_add(whole, &mem, &t, 0, &err), &err);
    oq_tensor_release(&t);
    ck_assert_uint_eq(split(model, stats, true), 1);
    const char *const names[] = {"h_part_1", "h_part_2", "h_reordered"};
    for (size_t i = 0; i < 3; i++) {
        const oq_tensor_stats *part = oq_stats_find(stats, names[i]);
        ck_assert_msg(part != NULL, "%s", names[i]);
        ck_assert(part->min == -3 && part->max == 7 && part->count == 4 && part->zero == 1);
        ck_assert_int_eq(memcmp(&part->histogram, &whole->histogram, sizeof part->histogram), 0);
    }
    oq_stats_free(stats);
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

// What the reader gives has this size.
static size_t split_for(float size) {
    oq_stats *stats;
    oq_tensor_stats *y;
    oq_tensor t;
    oq_model *model = load(cases[0].text);
    CK_OK(oq_stats_new(&mem, &stats, &err), &err);
    CK_OK(oq_stats_ensure(stats, "y", &y, &err), &err);
    const oq_shape shape = OQ_SHAPE(1);
    CK_OK(oq_tensor_new(&mem, ONNXQ_FLOAT, &shape, &t, &err), &err);
    *(float *)t.data = size;
    CK_OK(oq_stats_add(y, &mem, &t, 0, &err), &err);
    oq_tensor_release(&t);
    const size_t count = split(model, stats, true);
    oq_stats_free(stats);
    oq_model_free(model);
    return count;
}

START_TEST(errors_far_below_the_signal_are_left) {
    ck_assert_uint_eq(split_for(1), 1);
    ck_assert_uint_eq(split_for(1e6F), 0);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

START_TEST(only_what_is_chosen) {
    oq_stats *stats;
    oq_model *model = load(cases[0].text);
    CK_OK(oq_stats_new(&mem, &stats, &err), &err);
    ck_assert_uint_eq(split(model, stats, false), 0);
    oq_stats_free(stats);
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("split_rows");
    TCase *tcase = tcase_create("split_rows");
    tcase_add_loop_test(tcase, outputs_stay, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tcase, rows_of_one_size_come_together);
    tcase_add_test(tcase, parts_keep_statistics);
    tcase_add_test(tcase, errors_far_below_the_signal_are_left);
    tcase_add_test(tcase, only_what_is_chosen);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
