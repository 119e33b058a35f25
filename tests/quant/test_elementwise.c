// Elementwise functions: where they compute on integers and where not, in what form they are written, and
// what that costs.
#include "support/quantized.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static test_pair pair;
static oq_quant_options options;

static void setup(void) { options = oq_quant_defaults(); }

#define HEAD                                                                                                 \
    "in x float32[1,4,6,6]\nrandom w float32[8,4,3,3] 1 .4\nrandom v float32[8,8,1,1] 2 .4\n"                \
    "random b float32[8] 3 .3\nc = Conv(x, w, b)\n"
#define TAIL "y = Conv(m, v)\nout y\n"

// `name` the value that the case is about, made by that node; integers when the fate says so.
static const struct {
    const char *name;
    oq_node_fate fate;
    const char *text;
} cases[] = {
    // between convolutions
    {"m", OQ_FATE_ELEMENTWISE, HEAD "m = Mul(c, c)\n" TAIL},
    {"m", OQ_FATE_ELEMENTWISE, HEAD "m = GlobalAveragePool(c)\n" TAIL},
    {"m", OQ_FATE_ELEMENTWISE, HEAD "m = AveragePool(c) kernel_shape=[2,2]\n" TAIL},
    {"m", OQ_FATE_ELEMENTWISE, HEAD "m = Sigmoid(c)\n" TAIL},
    {"m", OQ_FATE_ELEMENTWISE, HEAD "m = HardSigmoid(c) alpha=.3 beta=.4\n" TAIL},
    {"m", OQ_FATE_ELEMENTWISE, HEAD "d = Conv(c, v, b)\nm = Add(c, d)\n" TAIL},
    // functions of two operators, recognised as one
    {"m", OQ_FATE_ELEMENTWISE, HEAD "g = HardSigmoid(c) alpha=.16666667 beta=.5\nm = Mul(c, g)\n" TAIL},
    {"g", OQ_FATE_ELEMENTWISE, HEAD "g = HardSigmoid(c) alpha=.16666667 beta=.5\nm = Mul(c, g)\n" TAIL},
    {"g", OQ_FATE_ELEMENTWISE, HEAD "g = Sigmoid(c)\nm = Mul(c, g)\n" TAIL},
    // squeeze and excitation; behind nodes that move; before such nodes
    {"m", OQ_FATE_ELEMENTWISE,
     HEAD "p = GlobalAveragePool(c)\nd = Conv(p, v, b)\ng = Sigmoid(d)\nm = Mul(c, g)\n" TAIL},
    {"m", OQ_FATE_ELEMENTWISE, HEAD "t = MaxPool(c) kernel_shape=[2,2]\nm = Mul(t, t)\n" TAIL},
    {"t", OQ_FATE_ELEMENTWISE, HEAD "t = Mul(c, c)\nm = MaxPool(t) kernel_shape=[2,2]\n" TAIL},
    {"m", OQ_FATE_ELEMENTWISE, HEAD "m = LeakyRelu(c) alpha=.1\n" TAIL},
    // a float beside integers
    {"m", OQ_FATE_PASSTHROUGH,
     HEAD "random u float32[8,16,1,1] 4 .4\nd = Conv(c, v, b)\ns = Add(c, d)\ne = Tanh(c)\nm = Concat(s, e) "
          "axis=1\ny = Conv(m, u)\nz = Conv(s, v)\nout y z\n"},
    // somebody wants floats
    {"m", OQ_FATE_FLOAT, HEAD "m = Mul(c, c)\nz = Conv(m, v)\nout z m\n"},
    {"m", OQ_FATE_FLOAT, HEAD "m = Mul(c, c)\ne = Exp(m)\nz = Conv(m, v)\nout z e\n"},
    {"p", OQ_FATE_FLOAT, HEAD "p = Mul(c, c)\nm = Exp(p)\n" TAIL},
    {"g", OQ_FATE_FLOAT, HEAD "g = Sigmoid(c)\nm = Mul(c, g)\nz = Conv(m, v)\ne = Exp(g)\nout z e\n"},
    {"t", OQ_FATE_FLOAT, HEAD "t = Mul(c, c)\nm = MaxPool(t) kernel_shape=[2,2]\nz = Conv(m, v)\nout z m\n"},
    // no integers come in
    {"m", OQ_FATE_FLOAT, HEAD "e = Exp(c)\nm = Mul(c, e)\n" TAIL},
    {"m", OQ_FATE_FLOAT, HEAD "const k float32[8,1,1] 2\nm = Mul(c, k)\n" TAIL},
    {"m", OQ_FATE_FLOAT, HEAD "m = HardSigmoid(c) alpha=-1.0\n" TAIL},
    {"m", OQ_FATE_FLOAT,
     "in x float32[1,2,8]\nrandom w float32[8,8] 1 .4\nc = MatMul(x, w)\nm = Mul(c, c)\ny = MatMul(m, "
     "w)\nout y\n"},
};

START_TEST(fates) {
    for (int format = 0; format < 2; format++) {
        options.format = format ? OQ_FORMAT_QDQ : OQ_FORMAT_QOPERATOR;
        test_pair_quantize(&pair, 13, cases[_i].text, &options);
        ck_assert_msg(test_fate(&pair, cases[_i].name)->fate == cases[_i].fate, "%s", cases[_i].text);
        ck_assert_msg(test_pair_sqnr(&pair) > 25, "%g: %s", test_pair_sqnr(&pair), cases[_i].text);
        if (cases[_i].fate == OQ_FATE_ELEMENTWISE) {
            char name[32];
            snprintf(name, sizeof name, "%s_quantized", cases[_i].name);
            ck_assert_str_eq(test_producer(pair.model, name)->op_type, "QuantizeLinear");
            ck_assert(test_tensor_plan(&pair, cases[_i].name)->quantized);
        }
        test_pair_release(&pair);
    }
}
END_TEST

// Gates have the grid of 0..1, whatever the samples showed of it.
START_TEST(gates_have_their_whole_range) {
    for (size_t i = 7; i < 9; i++) {
        test_pair_quantize(&pair, 13, cases[i].text, &options);
        const oq_tensor_plan *gate = test_tensor_plan(&pair, "g");
        ck_assert_float_eq(gate->params[0].scale, 1.0f / 255);
        ck_assert_int_eq(gate->params[0].zero_point, 0);
        test_pair_release(&pair);
    }
}
END_TEST

// HardSigmoid is a sum whose QuantizeLinear has the scale of the slope; the sum is of dequantized values
// only.
START_TEST(hard_sigmoid_is_a_sum) {
    test_pair_quantize(&pair, 13, cases[7].text, &options);
    ck_assert_uint_eq(test_count(pair.model, "HardSigmoid"), 0);
    const oq_node *quantize = test_producer(pair.model, "g_quantized"),
                  *sum = test_producer(pair.model, "g_float");
    ck_assert_str_eq(sum->op_type, "Add");
    for (size_t i = 0; i < 2; i++)
        ck_assert_ptr_nonnull(oq_graph_producer_is(pair.model->graph, sum->inputs[i], "DequantizeLinear"));
    oq_tensor scale = {0};
    oq_error err = {0};
    CK_OK(
        oq_constant_load(&pair.mem, oq_graph_constant(pair.model->graph, quantize->inputs[1]), &scale, &err),
        &err);
    ck_assert(fabs((double)*(float *)scale.data * 255 - 6) < 1e-5);
    oq_tensor_release(&scale);
    test_pair_release(&pair);
}
END_TEST

// A value scaled or shifted by a number has the same integers under other parameters: nothing is computed.
START_TEST(numbers_change_parameters_alone) {
    static const char *const changes[] = {"m = Mul(h, k)\n", "m = Mul(k, h)\n", "m = Add(h, k)\n",
                                          "m = Add(j, h)\n"};
    char text[512];
    snprintf(text, sizeof text, HEAD "const k float32[] 1.7\nconst j float32[1] -.9\nh = Mul(c, c)\n%s" TAIL,
             changes[_i]);
    test_pair_quantize(&pair, 13, text, &options);
    const oq_qparam x = test_tensor_plan(&pair, "h")->params[0], y = test_tensor_plan(&pair, "m")->params[0];
    ck_assert_int_eq(test_fate(&pair, "m")->fate, OQ_FATE_ELEMENTWISE);
    ck_assert_uint_eq(test_count(pair.model, "Mul"), 1);
    ck_assert_uint_eq(test_count(pair.model, "Add"), 0);
    if (_i < 2) {
        ck_assert_float_eq_tol(y.scale, 1.7f * x.scale, 1e-6f);
        ck_assert_int_eq(x.zero_point, y.zero_point);
    } else { // a whole number of steps, with both zeros on the grid
        const double steps = (double)(x.zero_point - y.zero_point) * (double)x.scale;
        ck_assert_float_eq(x.scale, y.scale);
        ck_assert_double_eq_tol(steps, _i == 2 ? 1.7 : -.9, 1e-5);
        ck_assert(x.zero_point >= 0 && x.zero_point <= 255 && y.zero_point >= 0 && y.zero_point <= 255);
    }
    ck_assert_double_gt(test_pair_sqnr(&pair), 30);
    test_pair_release(&pair);
}
END_TEST

// Where somebody else reads it, or the clip that its grid stands for would no longer end there, the sum is
// computed, of an integer that stands for the number.
START_TEST(numbers_are_added) {
    static const char *const texts[] = {
        HEAD "const k float32[] 1.7\nh = Mul(c, c)\nm = Add(h, k)\nz = Conv(h, v)\ny = Conv(m, v)\nout y z\n",
        HEAD "const k float32[] 1.7\nh = Relu(c)\nm = Add(h, k)\n" TAIL,
        HEAD "const k float32[] -1.7\nh = Mul(c, c)\nm = Mul(h, k)\n" TAIL,
        HEAD "const k float32[] 0\nh = Mul(c, c)\nm = Mul(h, k)\n" TAIL};
    test_pair_quantize(&pair, 13, texts[_i], &options);
    const oq_node *node = test_producer(pair.model, "m_float");
    ck_assert_str_eq(node->op_type, _i < 2 ? "Add" : "Mul");
    for (size_t i = 0; i < 2; i++)
        ck_assert_ptr_nonnull(oq_graph_producer_is(pair.model->graph, node->inputs[i], "DequantizeLinear"));
    ck_assert_double_gt(test_pair_sqnr(&pair), 30);
    test_pair_release(&pair);
}
END_TEST

// `text` behind HEAD: a sum s and what becomes of it, m.
static void quantize_sum(const char *text) {
    char whole[512];
    snprintf(whole, sizeof whole, HEAD "d = Conv(c, v, b)\ns = Add(c, d)\n%s", text);
    test_pair_quantize(&pair, 13, whole, &options);
    ck_assert(test_pair_sqnr(&pair) > 25);
}

// A Relu or Clip behind a residual sum is the end of the output's grid: nothing of it is left.
START_TEST(sums_take_clips_in) {
    static const char *const clips[] = {
        "m = Relu(s)\n" TAIL, "const low float32[] 0\nconst high float32[] .5\nm = Clip(s, low, high)\n" TAIL,
        "m = Relu(s)\nt = Conv(m, v)\nr = Add(t, m)\ny = Conv(r, v)\nout y\n"};
    options.format = _i % 2 ? OQ_FORMAT_QDQ : OQ_FORMAT_QOPERATOR;
    quantize_sum(clips[_i]);
    ck_assert_int_eq(test_fate(&pair, "s")->fate, OQ_FATE_ELEMENTWISE);
    ck_assert_int_eq(test_fate(&pair, "m")->fate, OQ_FATE_FOLDED);
    ck_assert_uint_eq(test_count(pair.model, "Relu") + test_count(pair.model, "Clip"), 0);
    ck_assert_int_eq(test_tensor_plan(&pair, "m")->params[0].zero_point, 0);
    ck_assert_float_le(test_tensor_plan(&pair, "m")->params[0].scale * 255, _i == 1 ? .5001f : 100);
    ck_assert(!test_tensor_plan(&pair, "s")->quantized);
    test_pair_release(&pair);
}
END_TEST

// Where somebody else reads the sum, or no grid ends where the clip does, it stays.
START_TEST(sums_keep_other_clips) {
    static const char *const clips[] = {
        "m = Relu(s)\nz = Conv(m, v)\ny = Conv(s, v)\nout z y\n",
        "const low float32[] .1\nconst high float32[] 2\nm = Clip(s, low, high)\n" TAIL,
        "m = Relu(s)\ny = Conv(m, v)\ne = Exp(m)\nout y e\n"};
    quantize_sum(clips[_i]);
    ck_assert_int_eq(test_fate(&pair, "m")->fate, OQ_FATE_FLOAT);
    ck_assert_uint_eq(test_count(pair.model, "Relu") + test_count(pair.model, "Clip"), 1);
    test_pair_release(&pair);
}
END_TEST

// A name that is excluded is computed as it stands.
START_TEST(excluded_clips_stay) {
    const char *excluded = "op:Relu";
    options.exclude = &excluded, options.exclude_count = 1;
    quantize_sum("m = Relu(s)\n" TAIL);
    ck_assert_int_eq(test_fate(&pair, "m")->fate, OQ_FATE_FLOAT);
    test_pair_release(&pair);
}
END_TEST

// Not asked for, or left out by a choice of operators or names, they stay float.
START_TEST(options_choose) {
    const char *excluded = "op:Mul", *only = "Conv";
    for (int i = 0; i < 3; i++) {
        setup();
        if (i == 0) options.exclude = &excluded, options.exclude_count = 1;
        if (i == 1) options.op_types = &only, options.op_type_count = 1;
        if (i == 2) options.elementwise = false;
        test_pair_quantize(&pair, 13, cases[0].text, &options);
        ck_assert_int_eq(test_fate(&pair, "m")->fate, OQ_FATE_FLOAT);
        ck_assert_int_eq(test_fate(&pair, "y")->fate, OQ_FATE_QUANTIZED);
        test_pair_release(&pair);
    }
}
END_TEST

// Widths and grids that it does not fit leave all of it float without a word.
START_TEST(other_grids_leave_it_float) {
    for (int i = 0; i < 2; i++) {
        options = oq_quant_defaults();
        if (i) options.activation_bits = 6;
        if (!i) options.activation_symmetric = true;
        test_pair_quantize(&pair, 13, cases[0].text, &options);
        ck_assert_int_eq(test_fate(&pair, "m")->fate, OQ_FATE_FLOAT);
        ck_assert(test_pair_sqnr(&pair) > 20);
        test_pair_release(&pair);
    }
}
END_TEST

// What is read with another width is not made on integers of 8 bits.
START_TEST(narrower_readers_leave_it_float) {
    test_pair_init(&pair, 13, cases[4].text);
    test_pair_calibrate(&pair);
    const oq_node_override narrow = {.node = test_producer(pair.original, "y")->id, .activation_bits = 4};
    options.overrides = &narrow;
    options.override_count = 1;
    test_pair_plan(&pair, &options);
    ck_assert_int_eq(test_fate(&pair, "m")->fate, OQ_FATE_FLOAT);
    test_pair_emit(&pair);
    ck_assert(test_pair_sqnr(&pair) > 10);
    test_pair_release(&pair);
}
END_TEST

// What was never computed during calibration has no range: it stays float, and nothing else does.
START_TEST(unknown_ranges_stay_float) {
    test_pair_init(&pair, 13, cases[9].text);
    test_pair_calibrate(&pair);
    oq_stats_find(pair.stats, "p")->count = 0;
    test_pair_plan(&pair, &options);
    ck_assert_int_eq(test_fate(&pair, "c")->fate, OQ_FATE_QUANTIZED);
    ck_assert_int_ne(test_fate(&pair, "p")->fate, OQ_FATE_ELEMENTWISE);
    test_pair_emit(&pair);
    test_pair_release(&pair);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("elementwise");
    TCase *tcase = tcase_create("elementwise");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, fates, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tcase, gates_have_their_whole_range);
    tcase_add_test(tcase, hard_sigmoid_is_a_sum);
    tcase_add_loop_test(tcase, numbers_change_parameters_alone, 0, 4);
    tcase_add_loop_test(tcase, numbers_are_added, 0, 4);
    tcase_add_loop_test(tcase, sums_take_clips_in, 0, 3);
    tcase_add_loop_test(tcase, sums_keep_other_clips, 0, 3);
    tcase_add_test(tcase, excluded_clips_stay);
    tcase_add_test(tcase, options_choose);
    tcase_add_test(tcase, other_grids_leave_it_float);
    tcase_add_test(tcase, narrower_readers_leave_it_float);
    tcase_add_test(tcase, unknown_ranges_stay_float);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
