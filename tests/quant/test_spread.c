// Parameters per channel for outputs of convolutions: what they gain, where they are allowed, how they are
// written.
#include "support/quantized.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static test_pair pair;
static oq_quant_options options;

static void setup(void) { options = oq_quant_defaults(); }

// Eight channels, one of them a hundred times wider than the others.
#define HEAD "in x float32[1,1,12,12]\nconst w float32[8,1,1,1] 30 0.3\nh = Conv(x, w)\n"

static void quantize(int64_t opset, const char *value, const char *text) {
    test_pair_init(&pair, opset, text);
    if (value) test_pair_channels(&pair, value, 1);
    test_pair_calibrate(&pair);
    test_pair_plan(&pair, &options);
    test_pair_emit(&pair);
}

static bool is_spread(const char *value) { return test_tensor_plan(&pair, value)->channels > 1; }

START_TEST(narrow_channels_gain) {
    double sqnr[2];
    options.format = _i ? OQ_FORMAT_QDQ : OQ_FORMAT_QOPERATOR;
    for (int spread = 0; spread < 2; spread++) {
        quantize(13, spread ? "h" : NULL, HEAD "y = Tanh(h)\nout y");
        ck_assert_int_eq(is_spread("h"), spread);
        sqnr[spread] = test_pair_sqnr(&pair);
        const oq_node *last = test_producer(pair.model, "h");
        ck_assert_str_eq(last->op_type, "DequantizeLinear");
        ck_assert_int_eq(oq_node_int(last, "axis", -9), spread ? 1 : -9);
        ck_assert_int_eq(oq_graph_constant(pair.model->graph, last->inputs[1])->shape.rank, spread);
        test_pair_release(&pair);
    }
    ck_assert_double_gt(sqnr[1], sqnr[0] + 3);
}
END_TEST

// The product itself knows one scale and one zero point of its output.
START_TEST(the_product_has_one_scale) {
    quantize(13, "h", HEAD "y = Tanh(h)\nout y");
    const oq_node *conv = test_producer(pair.model, "h_quantized");
    ck_assert_str_eq(conv->op_type, "QLinearConv");
    ck_assert_int_eq(oq_graph_constant(pair.model->graph, conv->inputs[4])->shape.rank, 1);
    ck_assert_int_eq(oq_graph_constant(pair.model->graph, conv->inputs[6])->shape.rank, 0);
    ck_assert_uint_eq(conv->input_count, 9); // zero points of the channels go through a bias
    test_pair_release(&pair);
}
END_TEST

// The axis is followed through nodes that move elements.
START_TEST(the_axis_moves_along) {
    static const struct {
        const char *node;
        int axis;
    } cases[] = {{"p = Transpose(h) perm=[0,2,3,1]\n", 3},
                 {"p = MaxPool(h) kernel_shape=[2,2]\n", 1},
                 {"const i int64[1] 0\np = Squeeze(h, i)\n", 0},
                 {"const i int64[1] 0\np = Unsqueeze(h, i)\n", 2},
                 {"const s int64[3] 0 8 144\np = Reshape(h, s)\n", 1},
                 {"const a int64[1] 1\nconst b int64[1] 9\nconst i int64[1] 3\np = Slice(h, a, b, i)\n", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        snprintf(text, sizeof text, HEAD "%sy = Tanh(p)\nout y", cases[i].node);
        quantize(13, "h", text);
        ck_assert_msg(is_spread("h"), "%s", cases[i].node);
        ck_assert_int_eq(test_fate(&pair, "p")->fate, OQ_FATE_PASSTHROUGH);
        ck_assert_int_eq(oq_node_int(test_producer(pair.model, "p"), "axis", -9), cases[i].axis);
        ck_assert_double_gt(test_pair_sqnr(&pair), 25);
        test_pair_release(&pair);
    }
}
END_TEST

// Integer readers, nodes that mix channels, sums that runtimes fuse, opsets without an axis.
START_TEST(where_it_is_not_allowed) {
    static const struct {
        int64_t opset;
        const char *tail;
    } cases[] = {{13, "random v float32[2,8,1,1] 3 1\ny = Conv(h, v)\nz = Tanh(h)\nout y z"},
                 {13, "const s int64[2] 1 -1\np = Reshape(h, s)\ny = Tanh(p)\nout y"},
                 {13, "const a int64[1] 1\nconst b int64[1] 9\np = Slice(h, a, b, a)\ny = Tanh(p)\nout y"},
                 {13, "a = GlobalAveragePool(h)\nrandom v float32[2,8,1,1] 3 1\ny = Conv(a, v)\nout y"},
                 {13, "g = Conv(x, w)\na = Add(h, g)\nrandom v float32[2,8,1,1] 3 1\ny = Conv(a, v)\nout y"},
                 {11, "y = Tanh(h)\nout y"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        snprintf(text, sizeof text, HEAD "%s", cases[i].tail);
        quantize(cases[i].opset, "h", text);
        ck_assert_msg(!is_spread("h"), "%s", cases[i].tail);
        test_pair_release(&pair);
    }
}
END_TEST

// A pool whose result stays float is no such sum.
START_TEST(float_results_are_allowed) {
    quantize(13, "h", HEAD "a = GlobalAveragePool(h)\ny = Tanh(a)\nout y");
    ck_assert(is_spread("h"));
    test_pair_release(&pair);
}
END_TEST

START_TEST(too_few_values) {
    test_pair_init(&pair, 13, HEAD "y = Tanh(h)\nout y");
    pair.samples = 1; // 144 values a channel
    test_pair_channels(&pair, "h", 1);
    test_pair_calibrate(&pair);
    test_pair_plan(&pair, &options);
    ck_assert(!is_spread("h"));
    test_pair_release(&pair);
}
END_TEST

// The saturation of every channel stands for the clip.
START_TEST(relu_stays_folded) {
    quantize(13, "r", HEAD "r = Relu(h)\ny = Tanh(r)\nout y");
    ck_assert(is_spread("r"));
    ck_assert_int_eq(test_fate(&pair, "r")->fate, OQ_FATE_FOLDED);
    ck_assert_double_gt(test_pair_sqnr(&pair), 25);
    test_pair_release(&pair);
}
END_TEST

// Another layer's use of the same weights keeps its own scales.
START_TEST(shared_weights_part) {
    options.format = _i ? OQ_FORMAT_QDQ : OQ_FORMAT_QOPERATOR;
    quantize(
        13, "h",
        HEAD
        "y = Tanh(h)\nn = Neg(x)\ng = Conv(n, w)\nrandom v float32[2,8,1,1] 3 1\nz = Conv(g, v)\nout y z");
    ck_assert(is_spread("h") && !is_spread("g"));
    ck_assert_double_gt(test_pair_sqnr(&pair), 30);
    test_pair_release(&pair);
}
END_TEST

// What a region behind a passthrough node makes equal needs no levels.
START_TEST(floors_are_seen_through_moves) {
    test_pair_init(&pair, 13,
                   "in x float32[1,1,12,12]\nconst w float32[8,1,1,1] 20\nh = Conv(x, w)\n"
                   "const i int64[1] 0\np = Squeeze(h, i)\ny = HardSwish(p)\nout y");
    oq_model_set_opset(pair.model, "", 14, NULL);
    oq_model_set_opset(pair.original, "", 14, NULL);
    test_pair_calibrate(&pair);
    test_pair_plan(&pair, &options);
    const oq_qparam p = test_tensor_plan(&pair, "h")->params[0];
    ck_assert_double_gt((double)(0 - p.zero_point) * (double)p.scale, -3.1);
    test_pair_release(&pair);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("spread");
    TCase *tcase = tcase_create("spread");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, narrow_channels_gain, 0, 2);
    tcase_add_test(tcase, the_product_has_one_scale);
    tcase_add_test(tcase, the_axis_moves_along);
    tcase_add_test(tcase, where_it_is_not_allowed);
    tcase_add_test(tcase, float_results_are_allowed);
    tcase_add_test(tcase, too_few_values);
    tcase_add_test(tcase, relu_stays_folded);
    tcase_add_loop_test(tcase, shared_weights_part, 0, 2);
    tcase_add_test(tcase, floors_are_seen_through_moves);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
