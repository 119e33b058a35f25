// Transposed convolutions as convolutions and moves: outputs stay, what cannot be written so is left alone.
#include "passes/passes.h"
#include "support/graphs.h"
#include "support/outputs.h"
#include "support/support.h"

#include <string.h>

static oq_mem mem;
static oq_error err;

enum { MOST_VALUES = 64 };

#define HEAD                                                                                                 \
    "in x float32[2,3,4,5]\nrandom w1 float32[3,4,1,1] 1 .5\nrandom w2 float32[3,4,2,2] 2 .5\n"              \
    "random w3 float32[3,4,3,3] 3 .5\nrandom w4 float32[3,4,4,4] 4 .5\nrandom w52 float32[3,4,5,2] 5 .5\n"   \
    "random b float32[4] 6 1\n"

typedef struct rewriting {
    const char *name;
    size_t count;
    const char *text;
} rewriting;

static const rewriting cases[] = {
    {"kernel of the stride", 1, HEAD "y = ConvTranspose(x, w2, b) strides=[2,2]\nout y\n"},
    {"no bias", 1, HEAD "y = ConvTranspose(x, w2) strides=[2,2] group=1 dilations=[1,1]\nout y\n"},
    {"kernels that meet", 1, HEAD "y = ConvTranspose(x, w4, b) strides=[2,2]\nout y\n"},
    {"pads", 1, HEAD "y = ConvTranspose(x, w4, b) strides=[2,2] pads=[1,1,1,1]\nout y\n"},
    {"uneven pads", 1, HEAD "y = ConvTranspose(x, w4, b) strides=[2,2] pads=[0,2,3,1]\nout y\n"},
    {"no multiple", 1, HEAD "y = ConvTranspose(x, w3, b) strides=[2,2] pads=[1,1,1,1]\nout y\n"},
    {"output padding", 1,
     HEAD "y = ConvTranspose(x, w3, b) strides=[2,2] pads=[1,1,1,1] output_padding=[1,1]\nout y\n"},
    {"pads beyond the kernel", 1, HEAD "y = ConvTranspose(x, w2, b) strides=[2,2] pads=[3,0,3,2]\nout y\n"},
    {"strides that differ", 1, HEAD "y = ConvTranspose(x, w52, b) strides=[3,1]\nout y\n"},
    {"one stride, one size", 1, HEAD "y = ConvTranspose(x, w4) strides=[1,2]\nout y\n"},
    {"a clip goes along", 1, HEAD "t = ConvTranspose(x, w2, b) strides=[2,2]\ny = Relu(t)\nout y\n"},
    {"read by others", 1,
     HEAD "t = ConvTranspose(x, w2, b) strides=[2,2]\ny = Relu(t)\nz = Exp(t)\nout y z\n"},
    {"two with one weight", 2,
     HEAD "y = ConvTranspose(x, w2, b) strides=[2,2]\nz = ConvTranspose(x, w2) strides=[2,2]\nout y z\n"},
    {"between others", 1,
     HEAD "random v float32[2,4,1,1] 7 1\ne = Exp(x)\nt = ConvTranspose(e, w4) strides=[2,2] "
          "pads=[1,1,1,1]\ny = Conv(t, v)\nout y\n"},
    // what is left alone
    {"stride 1", 0, HEAD "y = ConvTranspose(x, w3, b)\nout y\n"},
    {"gaps", 0, HEAD "y = ConvTranspose(x, w1, b) strides=[2,2]\nout y\n"},
    {"too little kernel", 0, HEAD "y = ConvTranspose(x, w3) strides=[5,5]\nout y\n"},
    {"dilation", 0, HEAD "y = ConvTranspose(x, w2) strides=[2,2] dilations=[2,2]\nout y\n"},
    {"output beyond", 0, HEAD "y = ConvTranspose(x, w2, b) strides=[2,2] output_padding=[1,1]\nout y\n"},
    {"groups", 0,
     "in x float32[1,4,4,4]\nrandom w float32[4,2,2,2] 1 1\ny = ConvTranspose(x, w) strides=[2,2] "
     "group=2\nout y\n"},
    {"an axis", 0,
     "in x float32[1,4,4]\nrandom w float32[4,2,2] 1 1\ny = ConvTranspose(x, w) strides=[2]\nout y\n"},
    {"automatic pads", 0, HEAD "y = ConvTranspose(x, w3) strides=[2,2] auto_pad=\"SAME_UPPER\"\nout y\n"},
    {"output shape", 0, HEAD "y = ConvTranspose(x, w3) strides=[2,2] output_shape=[8,10]\nout y\n"},
    {"computed weights", 0, HEAD "in w float32[3,4,2,2]\ny = ConvTranspose(x, w) strides=[2,2]\nout y\n"},
    {"computed bias", 0, HEAD "in k float32[4]\ny = ConvTranspose(x, w2, k) strides=[2,2]\nout y\n"},
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
    CK_OK(oq_pass_sub_pixel(model->graph, chosen, stats, &count, &err), &err);
    CK_OK(oq_graph_sweep(model->graph, true, &err), &err);
    CK_OK(oq_graph_check(model->graph, &err), &err);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    return count;
}

static oq_stats *new_stats(void) {
    oq_stats *stats;
    CK_OK(oq_stats_new(&mem, &stats, &err), &err);
    return stats;
}

START_TEST(outputs_stay) {
    const rewriting *c = &cases[_i];
    oq_stats *stats = new_stats();
    oq_model *model = load(c->text);
    test_outputs before, after;
    const size_t all = test_count(model, "ConvTranspose");
    test_outputs_run(model, 1, &before);
    ck_assert_msg(rewrite(model, stats, true) == c->count, "%s", c->name);
    ck_assert_uint_eq(test_count(model, "ConvTranspose"), all - c->count);
    test_outputs_run(model, 1, &after);
    test_outputs_equal(&before, &after, 1e-5, c->name);
    ck_assert_uint_eq(stats->count, 0); // of values that nothing is known of
    test_outputs_release(&before), test_outputs_release(&after);
    oq_stats_free(stats);
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

// Sizes that are known when the model runs.
START_TEST(open_sizes_are_computed) {
    oq_stats *stats = new_stats();
    oq_model *model = load("in x float32[N,3,H,W]\nrandom w float32[3,4,4,4] 1 .5\ny = ConvTranspose(x, w) "
                           "strides=[2,2] pads=[1,1,1,1]\nout y\n"),
             *other;
    test_outputs before, after;
    CK_OK(oq_model_clone(model, &other, &err), &err);
    ck_assert_uint_eq(rewrite(other, stats, true), 1);
    ck_assert_uint_eq(test_count(other, "Shape"), 1);
    test_outputs_run(model, 1, &before);
    test_outputs_run(other, 1, &after);
    test_outputs_equal(&before, &after, 1e-5, "open sizes");
    test_outputs_release(&before), test_outputs_release(&after);
    oq_stats_free(stats);
    oq_model_free(model);
    oq_model_free(other);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

// The convolution keeps the node's id and name, its values the range of the result; a clip stands before the
// moves, where the convolution takes it in.
START_TEST(names_and_ranges_stay) {
    oq_stats *stats = new_stats();
    oq_tensor_stats *sum, *clipped;
    oq_model *model =
        load(HEAD "t = ConvTranspose(x, w2, b) strides=[2,2] name=\"up\"\ny = Relu(t)\nout y\n");
    const oq_node_id id = test_producer(model, "t")->id;
    CK_OK(oq_stats_ensure(stats, "t", &sum, &err), &err);
    CK_OK(oq_stats_ensure(stats, "y", &clipped, &err), &err);
    sum->min = -3, sum->max = 5, sum->count = 9;
    clipped->max = 5, clipped->count = 9;
    ck_assert_uint_eq(rewrite(model, stats, true), 1);
    const oq_node *up = oq_graph_node(model->graph, id);
    ck_assert_str_eq(up->op_type, "Conv");
    ck_assert_str_eq(up->name, "up");
    ck_assert_str_eq(oq_graph_only_consumer(model->graph, up->outputs[0])->op_type, "Relu");
    ck_assert_float_eq(oq_stats_find(stats, oq_graph_value(model->graph, up->outputs[0])->name)->min, -3);
    ck_assert_float_eq(oq_stats_find(stats, "y_joined")->max, 5);
    ck_assert_str_eq(test_producer(model, "y")->op_type, "Transpose");
    oq_stats_free(stats);
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

START_TEST(only_chosen_ones) {
    oq_stats *stats = new_stats();
    oq_model *model = load(cases[0].text);
    ck_assert_uint_eq(rewrite(model, stats, false), 0);
    ck_assert_uint_eq(test_count(model, "ConvTranspose"), 1);
    oq_stats_free(stats);
    oq_model_free(model);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("sub-pixel");
    TCase *tcase = tcase_create("sub-pixel");
    tcase_add_loop_test(tcase, outputs_stay, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tcase, open_sizes_are_computed);
    tcase_add_test(tcase, names_and_ranges_stay);
    tcase_add_test(tcase, only_chosen_ones);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
