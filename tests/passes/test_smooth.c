// Smoothing: outputs stay, the factors go where the case says, derived ranges are true, and where nothing is
// gained nothing is touched.
#include "calib/calib.h"
#include "passes/passes.h"
#include "support/graphs.h"
#include "support/outputs.h"
#include "support/support.h"

#include <math.h>
#include <string.h>

static oq_mem mem;
static oq_error err;

// Eight channels, of which one is far larger than the others.
#define TWO_ROWS    "1 -1 2 90 1 .5 -1 1 -1 2 1 60 .5 -1 1 2 "
#define TWO_COLUMNS "1 -1 2 .5 1 .5 -1 1 -1 2 1 1 .5 -1 1 2 "
#define SHARED                                                                                               \
    "const big float32[8] 1 1 1 90 1 1 1 1\nconst far float32[8] 0 0 0 9 0 0 0 0\n"                          \
    "const u float32[8,8] " TWO_ROWS TWO_ROWS TWO_ROWS TWO_ROWS "\n"                                         \
    "const ut float32[8,8] " TWO_COLUMNS                                                                     \
    "1 2 3 4 4 3 2 1 -90 60 70 80 -90 60 70 80 " TWO_COLUMNS TWO_COLUMNS                                     \
    "\nrandom w float32[8,12] 2 .5\nrandom v float32[8,12] 3 .5\n"                                           \
    "random wt float32[12,8] 4 .5\nrandom b float32[2,8,12] 5 .5\n"
#define ROWS   "in x float32[1,2,40,8]\n" SHARED
#define MATRIX "in x float32[40,8]\n" SHARED

typedef struct smoothing {
    const char *name;
    size_t inputs; // smoothed
    int muls;      // Mul nodes afterwards
    const char *text;
} smoothing;

static const smoothing cases[] = {
    {"one Mul for two products", 1, 2,
     ROWS "h = Mul(x, big)\nr = Abs(h)\ny = MatMul(r, w)\nz = MatMul(r, v)\nout y z\n"},
    {"the value is read elsewhere", 1, 2, ROWS "h = Mul(x, big)\ny = MatMul(h, w)\nz = Abs(h)\nout y z\n"},
    {"the value is an output", 1, 2, ROWS "h = Mul(x, big)\ny = MatMul(h, w)\nout y h\n"},
    {"into a Mul", 1, 1, ROWS "h = Mul(big, x)\ny = MatMul(h, w)\nz = MatMul(h, v)\nout y z\n"},
    {"into a LayerNormalization", 1, 0,
     ROWS "h = LayerNormalization(x, big, far)\ny = MatMul(h, w)\nout y\n"},
    {"into Mul and Add", 1, 1, ROWS "a = Mul(x, big)\nh = Add(far, a)\ny = MatMul(h, w)\nout y\n"},
    {"into a MatMul and its bias", 1, 0, ROWS "a = MatMul(x, u)\nh = Add(a, far)\ny = MatMul(h, w)\nout y\n"},
    {"into a Gemm", 1, 0,
     MATRIX "h = Gemm(x, ut, far) transB=1 beta=0.5\ny = Gemm(h, wt) transB=1 alpha=2.0\nout y\n"},
    {"a sum that others read stays", 1, 1,
     ROWS "a = MatMul(x, u)\nh = Add(a, far)\ny = MatMul(h, w)\nz = Abs(a)\nout y z\n"},
    {"weights of rank 3", 1, 2, ROWS "h = Mul(x, big)\nr = Abs(h)\ny = MatMul(r, b)\nout y\n"},
    {"tied weights", 1, 2, ROWS "h = Mul(x, big)\nr = Abs(h)\ny = MatMul(r, w)\nz = MatMul(x, w)\nout y z\n"},
    {"a dead channel", 1, 2,
     ROWS "const some float32[8] 1 0 1 90 1 1 1 1\nh = Mul(x, some)\nr = Abs(h)\ny = MatMul(r, w)\nout y\n"},
    {"no outliers", 0, 0, ROWS "y = MatMul(x, w)\nout y\n"},
    {"two activations", 0, 1,
     ROWS "h = Mul(x, big)\nt = Transpose(x) perm=[0,1,3,2]\ny = MatMul(h, t)\nout y\n"},
    {"Gemm along the other axis", 0, 1,
     MATRIX "random k float32[40,3] 1 1\nh = Mul(x, big)\ny = Gemm(h, k) transA=1\nout y\n"},
    {"a channel of infinite values", 0, 2,
     ROWS "const none float32[8] 1 1 1 0 1 1 1 1\nh = Mul(x, big)\nr = Div(h, none)\nm = Mul(r, big)\n"
          "y = MatMul(m, w)\nout y\n"},
};

static void calibrate(oq_model *model, size_t samples, oq_stats **stats) {
    oq_dataset *data;
    int axis[64];
    ck_assert_uint_le(model->graph->value_count, 64);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    oq_smooth_axes(model->graph, axis);
    CK_OK(oq_dataset_synthetic(&mem, model->graph, samples, 7, &data, &err), &err);
    CK_OK(oq_calibrate(model->graph, data, &(oq_calibrate_options){.axis = axis}, stats, &err), &err);
    oq_dataset_free(data);
}

static size_t smooth(oq_model *model, oq_stats *stats, bool all) {
    bool chosen[64];
    for (size_t i = 0; i < 64; i++) chosen[i] = all;
    const oq_smooth_options options = {
        .chosen = chosen, .activation_bits = 8, .weight_bits = 8, .per_channel = true};
    size_t count;
    CK_OK(oq_pass_smooth(model->graph, &options, stats, &count, &err), &err);
    CK_OK(oq_graph_sweep(model->graph, true, &err), &err);
    CK_OK(oq_graph_check(model->graph, &err), &err);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    return count;
}

// What the statistics say of every value is what comes out when the rewritten graph is calibrated itself.
static void check_derived(oq_model *model, const oq_stats *derived, size_t samples) {
    oq_stats *real;
    calibrate(model, samples, &real);
    for (size_t i = 0; i < real->count; i++) {
        const oq_tensor_stats *is = real->tensors[i], *said = oq_stats_find(derived, is->name);
        if (!said) continue; // a sum before its bias, which no product reads
        const float scale = fmaxf(fabsf(is->min), fabsf(is->max));
        ck_assert_msg(fabsf(is->min - said->min) <= 1e-5F * scale, "%s: %g, %g", is->name, (double)is->min,
                      (double)said->min);
        ck_assert_msg(fabsf(is->max - said->max) <= 1e-5F * scale, "%s: %g, %g", is->name, (double)is->max,
                      (double)said->max);
        ck_assert_uint_eq(is->count, said->count);
    }
    oq_stats_free(real);
}

START_TEST(outputs_stay) {
    const smoothing *c = &cases[_i];
    const size_t samples = strstr(c->text, "in x float32[40") ? 600 : 20;
    oq_error_clear(&err);
    oq_model *model = test_graph(&mem, 17, c->text);
    oq_stats *stats;
    CK_OK(oq_graph_sweep(model->graph, true, &err), &err);
    calibrate(model, samples, &stats);
    test_outputs before, after;
    test_outputs_run(model, 1, &before);
    oq_text was = test_graph_text(model);
    const size_t count = smooth(model, stats, true);
    ck_assert_msg(count == c->inputs, "%s: %zu", c->name, count);
    oq_text is = test_graph_text(model);
    ck_assert_msg((strcmp(was.data, is.data) == 0) == (c->inputs == 0), "%s", c->name);
    ck_assert_msg((int)test_count(model, "Mul") == c->muls, "%s", c->name);
    test_outputs_run(model, 1, &after);
    test_outputs_equal(&before, &after, 1e-5, c->name);
    if (c->inputs) check_derived(model, stats, samples);
    oq_text_release(&was), oq_text_release(&is);
    test_outputs_release(&before), test_outputs_release(&after);
    oq_stats_free(stats);
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

// Nodes that stay float keep their inputs, and so do those whose channels showed too few values.
START_TEST(only_what_is_chosen_and_known) {
    for (int known = 0; known < 2; known++) {
        oq_error_clear(&err);
        oq_model *model = test_graph(&mem, 17, cases[0].text);
        oq_stats *stats;
        calibrate(model, known ? 20 : 2, &stats);
        ck_assert_uint_eq(smooth(model, stats, !known), 0);
        ck_assert_uint_eq(test_count(model, "Mul"), 1);
        oq_stats_free(stats);
        oq_model_free(model);
    }
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

// The largest |x| stays, that of every other channel grows: one scale then serves all.
START_TEST(channels_come_together) {
    oq_error_clear(&err);
    oq_model *model = test_graph(&mem, 17, cases[0].text);
    oq_stats *stats, *again;
    calibrate(model, 20, &stats);
    const float most = oq_stats_find(stats, "r")->max;
    ck_assert_uint_eq(smooth(model, stats, true), 1);
    ck_assert(fabsf(oq_stats_find(stats, "r_smoothed")->max - most) <= 1e-5F * most);
    calibrate(model, 20, &again);
    const oq_tensor_stats *t = oq_stats_find(again, "r_smoothed");
    ck_assert_uint_eq(t->channels, 8);
    for (size_t c = 0; c < 8; c++)
        ck_assert_msg(t->channel_max[c] > most / 5, "%zu: %g", c, (double)t->channel_max[c]);
    oq_stats_free(stats), oq_stats_free(again);
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("smooth");
    TCase *tcase = tcase_create("smooth");
    tcase_add_loop_test(tcase, outputs_stay, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tcase, only_what_is_chosen_and_known);
    tcase_add_test(tcase, channels_come_together);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
