// Equalization: outputs stay, groups are found where the case says, derived ranges are true, rows and columns
// come together, and what a Clip cuts stays as it is.
#include "calib/calib.h"
#include "passes/passes.h"
#include "support/graphs.h"
#include "support/outputs.h"
#include "support/support.h"

#include <math.h>
#include <string.h>

static oq_mem mem;
static oq_error err;

#define MOST_VALUES 64
// Six channels between two layers: `w1` gives them, `w2` reads them; `far` spreads their sizes.
#define CONV                                                                                                 \
    "in x float32[1,4,7,7]\nrandom r1 float32[6,4,3,3] 1 .3\nrandom b float32[6] 2 1\n"                      \
    "const far float32[6,1,1,1] .02 1 20 .1 5 .5\nrandom w2 float32[5,6,1,1] 3 .3\n"                         \
    "random dw float32[6,1,3,3] 4 .3\nrandom wt float32[6,2,3,3] 5 .3\nrandom sq float32[6,6,1,1] 6 .3\n"    \
    "const s float32[6,1,1] .1 .2 .3 .4 .5 .6\nw1 = Mul(r1, far)\n"
#define GEMM                                                                                                 \
    "in x float32[3,5]\nrandom r1 float32[6,5] 1 .3\nrandom b float32[6] 2 1\n"                              \
    "const far float32[6,1] .02 1 20 .1 5 .5\nrandom w2 float32[6,4] 3 .3\nw1 = Mul(r1, far)\n"
#define CLIP "const lo float32[] 0\nconst hi float32[] 6\n"

typedef struct equalizing {
    const char *name;
    size_t groups; // rescaled
    const char *text;
} equalizing;

static const equalizing cases[] = {
    {"two convolutions", 1, CONV "h = Conv(x, w1, b)\ny = Conv(h, w2)\nout y\n"},
    {"Relu between", 1, CONV "h = Conv(x, w1, b)\nr = Relu(h)\ny = Conv(r, w2)\nout y\n"},
    {"LeakyRelu", 1, CONV "h = Conv(x, w1)\nr = LeakyRelu(h)\ny = Conv(r, w2)\nout y\n"},
    {"PRelu per channel", 1, CONV "h = Conv(x, w1)\nr = PRelu(h, s)\ny = Conv(r, w2)\nout y\n"},
    {"depthwise triple", 2,
     CONV
     "h = Conv(x, w1, b)\nr = Relu(h)\nd = Conv(r, dw, b) group=6\nq = Relu(d)\ny = Conv(q, w2)\nout y\n"},
    {"residual", 1, CONV "h = Conv(x, w1, b)\na = Conv(h, sq)\nt = Add(h, a)\ny = Conv(t, w2)\nout y\n"},
    {"two readers", 1,
     CONV
     "const b2 float32[5] 1 2 3 4 5\nh = Conv(x, w1, b)\ny = Conv(h, w2)\nz = Conv(h, w2, b2)\nout y z\n"},
    {"pooled", 1,
     CONV "h = Conv(x, w1, b)\nm = MaxPool(h) kernel_shape=[2,2]\na = GlobalAveragePool(m)\n"
          "random g float32[6,3] 9 .3\nf = Flatten(a)\ny = Gemm(f, g)\nout y\n"},
    {"transposed in groups", 1, CONV "h = Conv(x, w1, b)\ny = ConvTranspose(h, wt) group=3\nout y\n"},
    {"transposed before", 1,
     "in x float32[1,4,5,5]\nrandom rt float32[4,6,2,2] 1 .3\nconst far float32[6,1,1] .02 1 20 .1 5 .5\n"
     "wt = Mul(rt, far)\nrandom w2 float32[5,6,1,1] 3 .3\nh = ConvTranspose(x, wt)\ny = Conv(h, w2)\nout "
     "y\n"},
    {"Gemm, both ways of B", 1,
     GEMM "h = Gemm(x, w1, b) transB=1 beta=0.5\nr = Relu(h)\ny = Gemm(r, w2) alpha=2.0\nout y\n"},
    {"room below a Clip", 1,
     CONV CLIP "const few float32[6,1,1,1] .01 .02 .003 .01 .005 .02\nconst o float32[6] .1 .1 .1 .1 .1 .1\n"
               "v = Mul(r1, few)\nh = Conv(x, v, o)\nr = Clip(h, lo, hi)\n"
               "const wide float32[1,6,1,1] 30 1 90 1 1 1\nu = Mul(w2, wide)\ny = Conv(r, u)\nout y\n"},
    // where nothing may change
    {"alike already", 0,
     "in x float32[1,2,5,5]\nconst w1 float32[2,2,1,1] 1 1 1 1\nh = Conv(x, w1)\ny = Conv(h, w1)\nout y\n"},
    {"Sigmoid between", 0, CONV "h = Conv(x, w1)\nr = Sigmoid(h)\ny = Conv(r, w2)\nout y\n"},
    {"read elsewhere", 0, CONV "h = Conv(x, w1)\ny = Conv(h, w2)\nz = Exp(h)\nout y z\n"},
    {"a graph output", 0, CONV "h = Conv(x, w1)\ny = Conv(h, w2)\nout y h\n"},
    {"a graph input", 0, "in x float32[1,6,7,7]\nrandom w2 float32[5,6,1,1] 3 .3\ny = Conv(x, w2)\nout y\n"},
    {"a constant added", 0, CONV "h = Conv(x, w1)\nt = Add(h, s)\ny = Conv(t, w2)\nout y\n"},
    {"broadcast over channels", 0,
     CONV "random w3 float32[1,4,3,3] 8 1\nh = Conv(x, w1)\nk = Conv(x, w3)\nt = Add(h, k)\n"
          "y = Conv(t, w2)\nout y\n"},
    {"Clip above 0", 0,
     CONV "const lo float32[] .5\nh = Conv(x, w1)\nr = Clip(h, lo)\ny = Conv(r, w2)\nout y\n"},
    {"all channels reach the Clip", 0,
     CONV "const lo float32[] 0\nconst hi float32[] .001\nh = Conv(x, w1, b)\nr = Clip(h, lo, hi)\n"
          "const o float32[6] 9 9 9 9 9 9\nd = Conv(x, r1, o)\nq = Clip(d, lo, hi)\nt = Add(q, r)\n"
          "y = Conv(t, w2)\nout y\n"},
    {"bias that is computed", 0, CONV "in k float32[6]\nh = Conv(x, w1, k)\ny = Conv(h, w2)\nout y\n"},
    {"weights that are computed", 0, CONV "in k float32[5,6,1,1]\nh = Conv(x, w1)\ny = Conv(h, k)\nout y\n"},
};

static void calibrate(oq_model *model, oq_stats **stats) {
    oq_dataset *data;
    int axis[MOST_VALUES];
    ck_assert_uint_le(model->graph->value_count, MOST_VALUES);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    oq_smooth_axes(model->graph, axis);
    oq_equalize_axes(model->graph, axis);
    CK_OK(oq_dataset_synthetic(&mem, model->graph, 24, 7, &data, &err), &err);
    CK_OK(oq_calibrate(model->graph, data, &(oq_calibrate_options){.axis = axis}, stats, &err), &err);
    oq_dataset_free(data);
}

static oq_model *load(const char *text, oq_stats **stats) {
    oq_error_clear(&err);
    oq_model *model = test_graph(&mem, 17, text);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    CK_OK(oq_pass_fold_constants(model->graph, &err), &err);
    CK_OK(oq_graph_sweep(model->graph, true, &err), &err);
    calibrate(model, stats);
    return model;
}

static size_t equalize_as(oq_model *model, oq_stats *stats, bool all, bool per_channel) {
    bool chosen[MOST_VALUES];
    for (size_t i = 0; i < MOST_VALUES; i++) chosen[i] = all;
    const oq_equalize_options options = {
        .chosen = chosen, .activation_bits = 8, .weight_bits = 8, .per_channel = per_channel};
    size_t count;
    CK_OK(oq_pass_equalize(model->graph, &options, stats, &count, &err), &err);
    CK_OK(oq_graph_sweep(model->graph, true, &err), &err);
    CK_OK(oq_graph_check(model->graph, &err), &err);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    return count;
}

static size_t equalize(oq_model *model, oq_stats *stats, bool all) {
    return equalize_as(model, stats, all, false);
}

// What the statistics say of every value is what comes out when the rewritten graph is calibrated itself.
static void check_derived(oq_model *model, const oq_stats *derived) {
    oq_stats *real;
    calibrate(model, &real);
    for (size_t i = 0; i < real->count; i++) {
        const oq_tensor_stats *is = real->tensors[i], *said = oq_stats_find(derived, is->name);
        ck_assert_msg(said != NULL, "%s", is->name);
        const float scale = fmaxf(fabsf(is->min), fabsf(is->max));
        ck_assert_msg(fabsf(is->min - said->min) <= 1e-5F * scale, "%s: %g, %g", is->name, (double)is->min,
                      (double)said->min);
        ck_assert_msg(fabsf(is->max - said->max) <= 1e-5F * scale, "%s: %g, %g", is->name, (double)is->max,
                      (double)said->max);
    }
    oq_stats_free(real);
}

START_TEST(outputs_stay) {
    const equalizing *c = &cases[_i];
    oq_stats *stats;
    oq_model *model = load(c->text, &stats);
    test_outputs before, after;
    test_outputs_run(model, 1, &before);
    oq_text was = test_graph_text(model);
    const size_t count = equalize(model, stats, true);
    ck_assert_msg(count == c->groups, "%s: %zu", c->name, count);
    oq_text is = test_graph_text(model);
    ck_assert_msg((strcmp(was.data, is.data) == 0) == (c->groups == 0), "%s", c->name);
    test_outputs_run(model, 1, &after);
    test_outputs_equal(&before, &after, 1e-5, c->name);
    check_derived(model, stats);
    oq_text_release(&was), oq_text_release(&is);
    test_outputs_release(&before), test_outputs_release(&after);
    oq_stats_free(stats);
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

// The rows of the first layer differ a thousandfold; what one layer can give to the next is the square root.
START_TEST(rows_come_together) {
    oq_stats *stats;
    oq_model *model = load(cases[0].text, &stats);
    const double before = test_row_spread(model, "h");
    ck_assert_uint_eq(equalize(model, stats, true), 1);
    const double after = test_row_spread(model, "h_equalized");
    ck_assert_msg(before > 500 && after < 2 * sqrt(before), "%g, %g", before, after);
    oq_stats_free(stats);
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

// Rows with scales of their own: only what depthwise convolutions alone read gains.
START_TEST(values_before_depthwise_convolutions) {
    static const struct {
        const char *text;
        size_t groups;
    } own[] = {
        {CONV "h = Conv(x, w1, b)\nd = Conv(h, dw, b) group=6\ny = Conv(d, w2)\nout y\n", 1},
        {CONV "h = Conv(x, w1, b)\nr = Relu(h)\ny = Conv(r, dw, b) group=6\nout y\n", 1},
        {CONV "h = Conv(x, w1, b)\ny = Conv(h, dw, b) group=6\nz = Conv(h, w2)\nout y z\n", 0},
        {CONV "h = Conv(x, w1, b)\nr = Relu(h)\ny = Conv(r, w2)\nout y\n", 0},
    };
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        oq_stats *stats;
        test_outputs before, after;
        oq_model *model = load(own[i].text, &stats);
        test_outputs_run(model, 1, &before);
        ck_assert_uint_eq(equalize_as(model, stats, true, true), own[i].groups);
        test_outputs_run(model, 1, &after);
        test_outputs_equal(&before, &after, 1e-5, own[i].text);
        check_derived(model, stats);
        test_outputs_release(&before), test_outputs_release(&after);
        oq_stats_free(stats);
        oq_model_free(model);
    }
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

START_TEST(only_what_is_chosen) {
    oq_stats *stats;
    oq_model *model = load(cases[0].text, &stats);
    ck_assert_uint_eq(equalize(model, stats, false), 0);
    oq_stats_free(stats);
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("equalize");
    TCase *tcase = tcase_create("equalize");
    tcase_add_loop_test(tcase, outputs_stay, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tcase, rows_come_together);
    tcase_add_test(tcase, values_before_depthwise_convolutions);
    tcase_add_test(tcase, only_what_is_chosen);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
