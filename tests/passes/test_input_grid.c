// Exact input grids: outputs stay, the nodes are those that the case says, and what convolutions read then
// are integers.
#include "passes/passes.h"
#include "support/graphs.h"
#include "support/outputs.h"
#include "support/support.h"
#include "support/values.h"

#include <math.h>
#include <string.h>

static oq_mem mem;
static oq_error err;

// What the samples hold in channel c: (i / 255 - mean) / deviation for all pixels i.
typedef struct pixels {
    float mean[3], deviation[3];
} pixels;

static const pixels photo = {{.485f, .456f, .406f}, {.229f, .224f, .225f}},
                    unit = {{0, 0, 0}, {1, 1, 1}}, // 0 and one step for all
    scaled = {{0, 0, 0}, {1, .9f, .8f}},           // 0, but steps of their own
    bright = {{-2, -2, -2}, {1, 1, 1.5f}},         // 0 is no pixel
    apart = {{0, 0, 0}, {1, 1000, 1000}};          // weights would suffer

typedef struct grid_case {
    const char *name;
    const pixels *x;
    size_t count;
    int pads, muls, adds;
    const char *text;
} grid_case;

#define X         "in x float32[1,3,16,16]\nrandom b float32[4] 5 .5\n"
#define WEIGHT    "random w float32[4,3,3,3] 2 .5\n"
#define DEPTHWISE "random d float32[6,1,3,3] 3 .5\n"

static const grid_case cases[] = {
    {"padded", &photo, 1, 1, 1, 1, X WEIGHT "y = Conv(x, w, b) pads=[1,1,1,1]\nout y\n"},
    {"padded on one side", &photo, 1, 1, 1, 1,
     X WEIGHT "y = Conv(x, w, b) pads=[0,0,1,1] strides=[2,2]\nout y\n"},
    {"padded by size", &photo, 1, 1, 1, 1,
     X WEIGHT "y = Conv(x, w) auto_pad=\"SAME_UPPER\" strides=[2,2]\nout y\n"},
    {"not padded", &photo, 1, 0, 1, 1, X WEIGHT "y = Conv(x, w, b)\nout y\n"},
    {"never padded", &photo, 1, 0, 1, 1, X WEIGHT "y = Conv(x, w) auto_pad=\"VALID\"\nout y\n"},
    {"depthwise", &photo, 1, 1, 1, 1, X DEPTHWISE "y = Conv(x, d) group=3 pads=[1,1,1,1]\nout y\n"},
    {"two convolutions", &photo, 1, 1, 2, 2,
     X WEIGHT DEPTHWISE "y = Conv(x, d) group=3\nz = Conv(x, w) pads=[1,1,1,1]\nout y z\n"},
    {"read by others", &photo, 1, 0, 1, 1, X WEIGHT "y = Conv(x, w)\nz = Abs(x)\nout y z\n"},
    {"one grid for all channels", &unit, 1, 0, 0, 0, X WEIGHT "y = Conv(x, w, b) pads=[1,1,1,1]\nout y\n"},
    {"the padding is an integer", &scaled, 1, 0, 1, 0, X WEIGHT "y = Conv(x, w, b) pads=[1,1,1,1]\nout y\n"},
    {"the padding is no integer", &bright, 0, 0, 0, 0, X WEIGHT "y = Conv(x, w) pads=[1,1,1,1]\nout y\n"},
    {"without padding it needs not be", &bright, 1, 0, 1, 1, X WEIGHT "y = Conv(x, w)\nout y\n"},
    {"weights would lose more", &apart, 0, 0, 0, 0,
     X "const w float32[1,3,1,1] 1 .01 .01\ny = Conv(x, w)\nout y\n"},
    {"behind what normalizes", &photo, 1, 0, 1, 1,
     "in i float32[1,16,16,3]\nconst m float32[1,1,3] .5 .4 .3\ns = Sub(i, m)\nx = Transpose(s) "
     "perm=[0,3,1,2]\n" WEIGHT "y = Conv(x, w)\nout y\n"},
    {"behind another layer", &photo, 0, 0, 0, 0,
     "in i float32[1,3,16,16]\nx = Relu(i)\n" WEIGHT "y = Conv(x, w)\nout y\n"},
    {"weights that are computed", &photo, 0, 0, 0, 0, X "in w float32[4,3,3,3]\ny = Conv(x, w)\nout y\n"},
};

// Statistics of x as samples of those pixels would give them, if it is watched at all.
static void fill(oq_model *model, const pixels *p, oq_stats *stats) {
    float x[3][16][16];
    int axis[64];
    bool levels[64];
    oq_tensor_stats *t;
    const oq_value_id id = test_value(model, "x");
    ck_assert_uint_le(model->graph->value_count, 64);
    memset(axis, -1, sizeof axis);
    oq_input_grid_watch(model->graph, axis, levels);
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < 256; i++) x[c][i / 16][i % 16] = ((float)i / 255 - p->mean[c]) / p->deviation[c];
    CK_OK(oq_stats_ensure(stats, "x", &t, &err), &err);
    t->axis = axis[id], t->counts_levels = levels[id];
    oq_tensor tensor = test_tensor_f32(&mem, OQ_SHAPE(1, 3, 16, 16), &x[0][0][0]);
    CK_OK(oq_stats_add(t, &mem, &tensor, 0, &err), &err);
    oq_tensor_release(&tensor);
}

static size_t run(oq_model *model, oq_stats *stats, bool all) {
    bool chosen[64];
    for (size_t i = 0; i < 64; i++) chosen[i] = all;
    const oq_input_grid_options options = {.chosen = chosen, .weight_bits = 8, .per_channel = true};
    size_t count;
    CK_OK(oq_pass_input_grid(model->graph, &options, stats, &count, &err), &err);
    CK_OK(oq_graph_sweep(model->graph, true, &err), &err);
    CK_OK(oq_graph_check(model->graph, &err), &err);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    CK_OK(oq_check_graph(model->graph, false, &err), &err);
    return count;
}

static void check_outputs(oq_model *model, oq_stats *stats, const grid_case *c) {
    test_outputs before, after;
    const int adds = (int)test_count(model, "Add");
    test_outputs_run(model, 1, &before);
    ck_assert_msg(run(model, stats, true) == c->count, "%s", c->name);
    test_outputs_run(model, 1, &after);
    test_outputs_equal(&before, &after, 2e-4, c->name);
    ck_assert_msg((int)test_count(model, "Pad") == c->pads, "%s", c->name);
    ck_assert_msg((int)test_count(model, "Mul") == c->muls, "%s", c->name);
    ck_assert_msg((int)test_count(model, "Add") - adds == c->adds, "%s", c->name);
    test_outputs_release(&before), test_outputs_release(&after);
}

// In opset 10 the padding is an attribute, later an input.
START_TEST(outputs_stay) {
    const grid_case *c = &cases[_i];
    for (int64_t opset = 10; opset <= 17; opset += 7) {
        oq_error_clear(&err);
        oq_model *model = test_graph(&mem, opset, c->text);
        oq_stats *stats;
        CK_OK(oq_infer_graph(model->graph, &err), &err);
        CK_OK(oq_stats_new(&mem, &stats, &err), &err);
        fill(model, c->x, stats);
        check_outputs(model, stats, c);
        oq_stats_free(stats);
        oq_model_free(model);
    }
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

static oq_model *prepare(size_t which, oq_stats **stats) {
    oq_error_clear(&err);
    oq_model *model = test_graph(&mem, 17, cases[which].text);
    CK_OK(oq_infer_graph(model->graph, &err), &err);
    CK_OK(oq_stats_new(&mem, stats, &err), &err);
    fill(model, cases[which].x, *stats);
    return model;
}

// The range of what the convolution reads makes its scale 1, and every pixel an integer in that.
START_TEST(pixels_become_integers) {
    oq_stats *stats;
    oq_model *model = prepare(0, &stats);
    ck_assert_uint_eq(run(model, stats, true), 1);
    const oq_tensor_stats *t = oq_stats_find(stats, "x_integers");
    ck_assert_ptr_nonnull(t);
    ck_assert(t->max - t->min == 255 && t->min == rintf(t->min) && !t->histogram.used);
    const oq_node *mul = test_producer(model, "x_scaled"), *add = test_producer(model, "x_integers");
    oq_tensor factor = {0}, shift = {0};
    CK_OK(oq_constant_load(&mem, oq_graph_constant(model->graph, mul->inputs[1]), &factor, &err), &err);
    CK_OK(oq_constant_load(&mem, oq_graph_constant(model->graph, add->inputs[1]), &shift, &err), &err);
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < 256; i++) {
            const float x = ((float)i / 255 - photo.mean[c]) / photo.deviation[c],
                        u = x * ((float *)factor.data)[c] + ((float *)shift.data)[c] - t->min;
            ck_assert_msg(fabsf(u - (float)i) < 1e-3f, "%d of %d: %g", i, c, (double)u);
        }
    oq_tensor_release(&factor), oq_tensor_release(&shift);
    oq_stats_free(stats);
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

// One grid for all channels is the plain one over their range; unseen levels belong to it.
START_TEST(one_grid_is_a_range) {
    oq_stats *stats;
    oq_model *model = prepare(8, &stats);
    oq_tensor_stats *t = oq_stats_find(stats, "x");
    for (int c = 0; c < 3; c++) t->levels[c].count = 200; // 200..255 are not seen
    ck_assert_uint_eq(run(model, stats, true), 1);
    ck_assert(t->min == 0 && fabsf(t->max - 1) < 1e-5f);
    oq_stats_free(stats);
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

START_TEST(float_layers_keep_their_input) {
    oq_stats *stats;
    oq_model *model = prepare(0, &stats);
    ck_assert_uint_eq(run(model, stats, false), 0);
    oq_stats_find(stats, "x")->levels[1].value[17] += .3f / 57; // not on the lattice
    ck_assert_uint_eq(run(model, stats, true), 0);
    oq_stats_free(stats);
    oq_model_free(model);
    ck_assert_uint_eq(mem.used, 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("input_grid");
    TCase *tcase = tcase_create("input_grid");
    tcase_add_loop_test(tcase, outputs_stay, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tcase, pixels_become_integers);
    tcase_add_test(tcase, one_grid_is_a_range);
    tcase_add_test(tcase, float_layers_keep_their_input);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
