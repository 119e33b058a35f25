// Zero channels around depthwise convolutions: where they are added and where not, and that no result changes
// by them.
#include "support/outputs.h"
#include "support/quantized.h"
#include "support/support.h"

#include <string.h>

static test_pair pair, other;
static oq_quant_options options;

static void setup(void) { options = oq_quant_defaults(); }

#define HEAD                                                                                                 \
    "in x float32[1,3,12,12]\nrandom e float32[12,3,1,1] 1 .6\nrandom v float32[12,12,1,1] 2 .4\n"           \
    "random w float32[12,1,3,3] 3 .4\nrandom b float32[12] 4 .3\nrandom p float32[5,12,1,1] 5 .4\n"          \
    "c = Conv(x, e, b)\n"
#define DEPTHWISE "d = Conv(r, w, b) group=12 pads=[1,1,1,1]\n"
#define TAIL      "y = Conv(d, p)\nout y\n"

// `d` is the depthwise convolution; `groups` of it in the emitted model.
static const struct {
    int groups;
    const char *text;
} cases[] = {
    {16, HEAD "r = Relu(c)\n" DEPTHWISE TAIL},
    {16, HEAD "g = HardSigmoid(c) alpha=.16666667 beta=.5\nr = Mul(c, g)\n" DEPTHWISE TAIL},
    {16, HEAD "const six float32[] 6\nq = Mul(c, six)\nr = Tanh(q)\n" DEPTHWISE TAIL},
    {16, HEAD "r = MaxPool(c) kernel_shape=[2,2]\n" DEPTHWISE TAIL},
    {16, HEAD "r = AveragePool(c) kernel_shape=[2,2]\n" DEPTHWISE TAIL},
    // squeeze and excitation behind it, a sum of two convolutions before it, two of them in a row
    {16, HEAD
     "r = Relu(c)\n" DEPTHWISE
     "s = GlobalAveragePool(d)\nt = Conv(s, v, b)\nu = Sigmoid(t)\nm = Mul(d, u)\ny = Conv(m, p)\nout y\n"},
    {16, HEAD "random k float32[12,3,1,1] 8 .6\nh = Conv(x, k)\nr = Add(c, h)\n" DEPTHWISE TAIL},
    {16, HEAD "random n float32[12,1,3,3] 8 .4\nr = Relu(c)\n" DEPTHWISE
              "f = Conv(d, n) group=12\ny = Conv(f, p)\nout y\n"},
    // somebody knows the number of channels: an output, a constant, other operators, other groups, a float
    // layer
    {12, HEAD "r = Relu(c)\n" DEPTHWISE "y = Conv(d, p)\nout y d\n"},
    {12, HEAD "r = Relu(c)\n" DEPTHWISE "out d\n"},
    {12, HEAD "random k float32[1,12,1,1] 6 1\nr = Mul(c, k)\n" DEPTHWISE TAIL},
    {12, HEAD "r = Relu(c)\n" DEPTHWISE "z = Concat(d, r) axis=0\ny = Conv(z, p)\nout y\n"},
    {12, HEAD "r = Relu(c)\n" DEPTHWISE "z = Softmax(d) axis=1\ny = Conv(z, p)\nout y\n"},
    {12, HEAD "random o float32[4,3,1,1] 7 .4\nr = Relu(c)\n" DEPTHWISE "y = Conv(d, o) group=4\nout y\n"},
    {12, HEAD "random o float32[24,1,1,1] 7 .4\nr = Relu(c)\n" DEPTHWISE "y = Conv(d, o) group=12\nout y\n"},
    {12, HEAD "random n float32[12,1,3,3] 8 .4\nr = Relu(c)\n" DEPTHWISE
              "s = Softmax(b)\ny = Conv(d, n, s) group=12\nout y\n"},
    {12, "in r float32[1,12,6,6]\nrandom w float32[12,1,3,3] 3 .4\nrandom b float32[12] 4 .3\n"
         "random p float32[5,12,1,1] 5 .4\n" DEPTHWISE TAIL},
    // too few for it, or a multiple of 16 already
    {6, "in x float32[1,3,12,12]\nrandom e float32[6,3,1,1] 1 .6\nrandom w float32[6,1,3,3] 3 .4\n"
        "random p float32[5,6,1,1] 5 .4\nr = Conv(x, e)\nd = Conv(r, w) group=6\n" TAIL},
    {32, "in x float32[1,3,12,12]\nrandom e float32[32,3,1,1] 1 .6\nrandom w float32[32,1,3,3] 3 .4\n"
         "random p float32[5,32,1,1] 5 .4\nr = Conv(x, e)\nd = Conv(r, w) group=32\n" TAIL},
};

// Groups of the case's depthwise convolution, and what the model gives.
static int64_t run_case(test_pair *own, const char *text, bool whole_blocks, test_outputs *out) {
    options.whole_blocks = whole_blocks;
    test_pair_init(own, 13, text);
    if (strstr(text, "c = ")) test_pair_channels(own, "c", 1);
    test_pair_calibrate(own);
    test_pair_plan(own, &options);
    test_pair_emit(own);
    test_outputs_run(own->model, 9, out);
    const char *name = options.format == OQ_FORMAT_QDQ ? "d_float" : "d_quantized";
    return oq_node_int(test_producer(own->model, name), "group", 1);
}

START_TEST(channels_change_no_result) {
    for (int way = 0; way < 4; way++) {
        test_outputs before = {0}, after = {0};
        options.format = way & 1 ? OQ_FORMAT_QDQ : OQ_FORMAT_QOPERATOR;
        options.elementwise = (way & 2) != 0;
        options.per_channel = way != 3;
        run_case(&other, cases[_i].text, false, &before);
        ck_assert_int_eq(run_case(&pair, cases[_i].text, true, &after), cases[_i].groups);
        test_outputs_equal(&before, &after, 0, cases[_i].text);
        test_outputs_release(&before);
        test_outputs_release(&after);
        test_pair_release(&other);
        test_pair_release(&pair);
    }
}
END_TEST

// Where the output of the first convolution has a scale per channel, the new channels have one too.
START_TEST(scales_per_channel_grow_too) {
    static const char text[] = "in x float32[1,1,12,12]\nconst e float32[12,1,1,1] 30 .3\n"
                               "random w float32[12,1,3,3] 3 .4\nrandom p float32[5,12,1,1] 5 .4\n"
                               "c = Conv(x, e)\nr = Tanh(c)\nd = Conv(r, w) group=12 pads=[1,1,1,1]\n" TAIL;
    test_pair_init(&pair, 13, text);
    test_pair_channels(&pair, "c", 1);
    test_pair_calibrate(&pair);
    test_pair_plan(&pair, &options);
    ck_assert_uint_eq(test_tensor_plan(&pair, "c")->channels, 12);
    test_pair_emit(&pair);
    const oq_node *node = test_producer(pair.model, "c");
    ck_assert_int_eq(oq_graph_constant(pair.model->graph, node->inputs[1])->shape.dim[0], 16);
    ck_assert_double_gt(test_pair_sqnr(&pair), 25);
    test_pair_release(&pair);
}
END_TEST

// Sums of a convolution over all channels: channels that its weights have in the model, and nodes of type
// Pad.
static const struct {
    int channels, pads;
    const char *text;
} sums[] = {
    // a large one reads the input behind a Pad, a small one or one with few outputs as it is
    {4, 1, "in x float32[1,3,34,34]\nrandom w float32[16,3,3,3] 1 .4\nd = Conv(x, w)\nout d\n"},
    {4, 1, "in x float32[1,3,34,34]\nrandom w float32[16,3,1,1] 1 .4\nd = Conv(x, w)\nout d x\n"},
    {3, 0, "in x float32[1,3,12,12]\nrandom w float32[16,3,3,3] 1 .4\nd = Conv(x, w)\nout d\n"},
    {3, 0, "in x float32[1,3,34,34]\nrandom w float32[8,3,3,3] 1 .4\nd = Conv(x, w)\nout d\n"},
    {4, 0, "in x float32[1,4,34,34]\nrandom w float32[16,4,3,3] 1 .4\nd = Conv(x, w)\nout d\n"},
    {3, 0, "in x float32[1,3,34,34]\nrandom w float32[16,3,2,2] 1 .4\nd = Conv(x, w)\nout d\n"},
    // nor one whose channels come last into the model
    {3, 0,
     "in i float32[1,34,34,3]\nrandom w float32[16,3,3,3] 1 .4\nx = Transpose(i) perm=[0,3,1,2]\n"
     "d = Conv(x, w)\nout d\n"},
    // where another convolution makes the input, it makes the channels, too
    {8, 0,
     "in x float32[1,4,8,8]\nrandom v float32[6,4,1,1] 2 .4\nrandom w float32[16,6,3,3] 1 .4\n"
     "c = Conv(x, v)\nr = Relu(c)\nd = Conv(r, w)\nout d\n"},
};

START_TEST(sums_have_a_round_length) {
    for (int format = 0; format < 2; format++) {
        test_outputs before = {0}, after = {0};
        options.format = format ? OQ_FORMAT_QDQ : OQ_FORMAT_QOPERATOR;
        run_case(&other, sums[_i].text, false, &before);
        run_case(&pair, sums[_i].text, true, &after);
        test_outputs_equal(&before, &after, 0, sums[_i].text);
        const oq_constant *w = oq_graph_constant(pair.model->graph, test_value(pair.model, "w_quantized"));
        ck_assert_int_eq(w->shape.dim[1], sums[_i].channels);
        ck_assert_uint_eq(test_count(pair.model, "Pad"), (size_t)sums[_i].pads);
        test_outputs_release(&before);
        test_outputs_release(&after);
        test_pair_release(&other);
        test_pair_release(&pair);
    }
}
END_TEST

// Below opset 13 there is no Pad of integers that all runtimes know.
START_TEST(old_opsets_have_no_pad) {
    options.per_channel = false;
    test_pair_init(&pair, 11, sums[0].text);
    test_pair_calibrate(&pair);
    test_pair_plan(&pair, &options);
    test_pair_emit(&pair);
    ck_assert_uint_eq(test_count(pair.model, "Pad"), 0);
    test_pair_release(&pair);
}
END_TEST

// A weight that two layers read keeps its shape.
START_TEST(shared_weights_stay) {
    test_outputs outputs = {0};
    ck_assert_int_eq(
        run_case(&pair, HEAD "r = Relu(c)\n" DEPTHWISE "f = Conv(d, w, b) group=12\ny = Conv(f, p)\nout y\n",
                 true, &outputs),
        12);
    test_outputs_release(&outputs);
    test_pair_release(&pair);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("channels");
    TCase *tcase = tcase_create("channels");
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, channels_change_no_result, 0, sizeof cases / sizeof *cases);
    tcase_add_loop_test(tcase, sums_have_a_round_length, 0, sizeof sums / sizeof *sums);
    tcase_add_test(tcase, old_opsets_have_no_pad);
    tcase_add_test(tcase, scales_per_channel_grow_too);
    tcase_add_test(tcase, shared_weights_stay);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
