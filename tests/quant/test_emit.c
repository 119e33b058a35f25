// What the emitters write: names, shared parameters, bodies, the same bytes every time, and no leak when
// memory ends.
#include "support/quantized.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static test_pair pair;
static oq_quant_options options;

static void setup(void) { options = oq_quant_defaults(); }
static void quantize(const char *text) { test_pair_quantize(&pair, 13, text, &options); }

static const char network[] =
    "in x float32[1,3,6,6]\nrandom w float32[4,3,3,3] 1 1\nrandom b float32[4] 2 1\nrandom v "
    "float32[4,4,1,1] 3 1\n"
    "h = Conv(x, w, b)\nr = Relu(h)\ng = Conv(r, v, b)\ns = Add(r, g)\nconst shape int64[2] 1 -1\n"
    "f = Reshape(s, shape)\nrandom m float32[64,5] 4 1\nrandom c float32[5] 5 1\nz = MatMul(f, m)\ny = "
    "Add(z, c)\n"
    "out y r";

static const char *printed(void) {
    static char text[20000];
    oq_text into;
    oq_error err = {0};
    oq_text_init(&into, &pair.mem);
    CK_OK(oq_graph_print(pair.model->graph, &into, &err), &err);
    snprintf(text, sizeof text, "%s", oq_text_get(&into));
    oq_text_release(&into);
    return text;
}

START_TEST(same_inputs_same_graph) {
    char first[20000];
    options.format = _i ? OQ_FORMAT_QDQ : OQ_FORMAT_QOPERATOR;
    quantize(network);
    snprintf(first, sizeof first, "%s", printed());
    test_pair_release(&pair);
    quantize(network);
    ck_assert_str_eq(first, printed());
    test_pair_release(&pair);
}
END_TEST

// Inputs and outputs keep names and float types; the value behind DequantizeLinear keeps the float value's
// name.
START_TEST(names) {
    options.format = _i ? OQ_FORMAT_QDQ : OQ_FORMAT_QOPERATOR;
    quantize(network);
    const oq_graph *graph = pair.model->graph;
    ck_assert_str_eq(oq_graph_value(graph, graph->inputs[0])->name, "x");
    ck_assert_str_eq(oq_graph_value(graph, graph->outputs[0])->name, "y");
    ck_assert_str_eq(test_producer(pair.model, "r")->op_type, "DequantizeLinear");
    ck_assert_str_eq(test_producer(pair.model, "r_quantized")->op_type,
                     _i ? "QuantizeLinear" : "QLinearConv");
    ck_assert_int_ne(oq_graph_find(graph, "r_scale"), OQ_NONE);
    ck_assert_int_ne(oq_graph_find(graph, "w_quantized"), OQ_NONE);
    ck_assert_int_eq(oq_graph_find(graph, "w"), OQ_NONE); // the float weights are gone
    test_pair_release(&pair);
}
END_TEST

START_TEST(names_that_are_taken) {
    quantize("in x float32[3,4]\nrandom w float32[4,4] 1 1\nrandom x_scale float32[4] 2 1\n"
             "x_quantized = MatMul(x, w)\ny = Add(x_quantized, x_scale)\nz = Tanh(x_scale)\nout y z");
    ck_assert_int_ne(oq_graph_find(pair.model->graph, "x_scale_2"), OQ_NONE);
    ck_assert_double_gt(test_pair_sqnr(&pair), 30);
    test_pair_release(&pair);
}
END_TEST

// A value with integer and float consumers is quantized once and dequantized once.
START_TEST(one_of_each) {
    quantize("in x float32[1,3,6,6]\nrandom w float32[4,3,3,3] 1 1\nrandom v float32[4,4,1,1] 3 1\nh = "
             "Conv(x, w)\n"
             "a = Conv(h, v)\nb = Conv(h, v)\nc = Tanh(h)\nd = Sin(h)\nout a b c d");
    ck_assert_uint_eq(test_count(pair.model, "QuantizeLinear"), 1);
    ck_assert_uint_eq(test_count(pair.model, "DequantizeLinear"), 3); // h, a, b
    test_pair_release(&pair);
}
END_TEST

// Two layers with one bias have different scales: each gets integers of its own.
START_TEST(shared_bias) {
    options.format = _i ? OQ_FORMAT_QDQ : OQ_FORMAT_QOPERATOR;
    quantize(network);
    ck_assert_int_ne(oq_graph_find(pair.model->graph, "b_quantized"), OQ_NONE);
    ck_assert_int_ne(oq_graph_find(pair.model->graph, "b_quantized_2"), OQ_NONE);
    ck_assert_double_gt(test_pair_sqnr(&pair), 28);
    test_pair_release(&pair);
}
END_TEST

// Weights read by another operator stay there as float.
START_TEST(tied_weights) {
    quantize("in x float32[3,8]\nrandom e float32[20,8] 1 1\nconst i int64[3] 2 7 19\ng = Gather(e, i)\ns = "
             "Add(g, x)\n"
             "y = Gemm(s, e) transB=1\nout y");
    ck_assert_int_ne(oq_graph_find(pair.model->graph, "e"), OQ_NONE);
    ck_assert_int_ne(oq_graph_find(pair.model->graph, "e_quantized"), OQ_NONE);
    ck_assert_int_eq(test_fate(&pair, "g")->fate, OQ_FATE_FLOAT);
    ck_assert_double_gt(test_pair_sqnr(&pair), 30);
    test_pair_release(&pair);
}
END_TEST

// The same weights in two layers are written once.
START_TEST(weights_used_twice) {
    quantize("in x float32[3,8]\nrandom w float32[8,8] 1 1\nh = MatMul(x, w)\nt = Tanh(h)\ny = MatMul(t, "
             "w)\nout y");
    ck_assert_int_ne(oq_graph_find(pair.model->graph, "w_quantized"), OQ_NONE);
    ck_assert_int_eq(oq_graph_find(pair.model->graph, "w_quantized_2"), OQ_NONE);
    test_pair_release(&pair);
}
END_TEST

static oq_tensor load(const char *name) {
    oq_error err = {0};
    oq_tensor tensor;
    const oq_constant *constant = oq_graph_constant(pair.model->graph, test_value(pair.model, name));
    CK_OK(oq_constant_load(&pair.mem, constant, &tensor, &err), &err);
    return tensor;
}

// Channels of zeros, or far smaller than their bias, keep the bias: its integers fit and are fine enough.
START_TEST(bias_of_small_channels) {
    options.format = _i % 2 ? OQ_FORMAT_QDQ : OQ_FORMAT_QOPERATOR;
    options.per_channel = _i < 2;
    quantize("in x float32[1,1,2,2]\nconst w float32[3,1,1,1] 0.5 0 1e-30\nconst b float32[3] 0.25 0.3 -0.4\n"
             "y = Conv(x, w, b)\nout y");
    const oq_tensor q = load("b_quantized");
    for (int64_t c = 0; c < 3; c++) ck_assert_int_lt(llabs(oq_tensor_get_i64(&q, c)), INT32_MAX);
    if (options.per_channel) ck_assert_int_eq(oq_tensor_get_i64(&q, 1), 32767);
    oq_tensor_release((oq_tensor *)&q);
    ck_assert_double_gt(test_pair_sqnr(&pair), 40);
    test_pair_release(&pair);
}
END_TEST

// A bias that alone would leave int32 raises the scale of its channel, and no other.
START_TEST(bias_that_would_overflow) {
    quantize("in x float32[1,1,2,2]\nconst w float32[2,1,1,1] 1 1e-7\nconst b float32[2] 100 100\n"
             "y = Conv(x, w, b)\nout y");
    const oq_tensor q = load("b_quantized"), s = load("w_scale");
    ck_assert_float_eq((float)oq_tensor_get_f64(&s, 0), 1.0f / 127);
    ck_assert_double_gt(oq_tensor_get_f64(&s, 1), 2e-7 / 127);
    ck_assert_int_gt(oq_tensor_get_i64(&q, 1), 1 << 29);
    ck_assert_double_gt(test_pair_sqnr(&pair), 40);
    oq_tensor_release((oq_tensor *)&q);
    oq_tensor_release((oq_tensor *)&s);
    test_pair_release(&pair);
}
END_TEST

// Every allocation may fail: a clean error each time, nothing left behind.
START_TEST(memory_may_end_anywhere) {
    options.format = _i ? OQ_FORMAT_QDQ : OQ_FORMAT_QOPERATOR;
    oq_status status = ONNXQ_NO_MEMORY;
    for (long long n = 1; status != ONNXQ_OK; n++) {
        oq_error err = {0};
        test_pair_init(&pair, 13, network);
        test_pair_calibrate(&pair);
        pair.mem.fail_after = n;
        status = oq_plan_make(pair.model->graph, pair.stats, &options, &pair.plan, &err);
        if (status == ONNXQ_OK) status = oq_plan_emit(pair.plan, pair.model->graph, &err);
        pair.mem.fail_after = 0;
        ck_assert_msg(status == ONNXQ_OK || status == ONNXQ_NO_MEMORY, "allocation %lld: %s", n, err.message);
        ck_assert(status == ONNXQ_OK || err.message[0]);
        test_pair_release(&pair);
        ck_assert_int_lt(n, 100000);
    }
}
END_TEST

// A body reads the float value of what is integer outside, and its own products are listed as left float.
// Scales of activations that products with float results multiply: many come from one node.
START_TEST(scales_of_many_products_are_made_at_once) {
    const int layers = _i ? 8 : 7;
    char text[2000], *at = text;
    at += sprintf(at, "in x float32[3,6]\nh0 = Identity(x)\n");
    for (int i = 0; i < layers; i++)
        at += sprintf(at, "random w%d float32[6,6] %d 0.5\nm%d = MatMul(h%d, w%d)\nh%d = Tanh(m%d)\n", i,
                      i + 1, i, i, i, i + 1, i);
    sprintf(at, "out h%d\n", layers);
    quantize(text);
    ck_assert_uint_eq(test_count(pair.model, "MatMulInteger"), (size_t)layers);
    ck_assert_uint_eq(test_count(pair.model, "DequantizeLinear"), _i ? 1 : (size_t)layers);
    ck_assert_uint_eq(test_count(pair.model, "Split"), (size_t)_i);
    ck_assert_msg(test_pair_sqnr(&pair) > 25, "%g dB", test_pair_sqnr(&pair));
    test_pair_release(&pair);
}
END_TEST

START_TEST(bodies_read_floats) {
    oq_error err = {0};
    test_pair_init(&pair, 13,
                   "in x float32[8,8]\nrandom w float32[8,8] 1 1\nconst c bool[] 1\nh = MatMul(x, w)\n"
                   "y = MatMul(h, w)\nout y");
    for (int k = 0; k < 2; k++) {
        oq_graph *graph = k ? pair.model->graph : pair.original->graph, *body;
        const oq_value_id h = oq_graph_find(graph, "h"), c = oq_graph_find(graph, "c");
        oq_value_id z, inner, result;
        oq_node *node, *made;
        CK_OK(oq_graph_add_value(graph, "z", &z, &err), &err);
        CK_OK(oq_graph_add_node(graph, "", "If", "", &c, 1, &z, 1, &node, &err), &err);
        for (int branch = 0; branch < 2; branch++) {
            CK_OK(oq_graph_new(graph->model, graph, &body, &err), &err);
            CK_OK(oq_node_set_graph(graph, node, branch ? "else_branch" : "then_branch", body, &err), &err);
            CK_OK(oq_graph_capture(body, node, h, &inner, &err), &err);
            CK_OK(oq_graph_add_value(body, branch ? "t" : "e", &result, &err), &err);
            CK_OK(oq_graph_add_node(body, "inside", "MatMul", "", (oq_value_id[]){inner, inner}, 2, &result,
                                    1, &made, &err),
                  &err);
            CK_OK(oq_graph_add_output(body, result, &err), &err);
        }
        CK_OK(oq_graph_add_output(graph, z, &err), &err);
    }
    test_pair_range(&pair, "x", -1, 1);
    test_pair_range(&pair, "h", -4, 4);
    test_pair_range(&pair, "y", -8, 8);
    options.format = _i ? OQ_FORMAT_QDQ : OQ_FORMAT_QOPERATOR;
    test_pair_plan(&pair, &options);
    size_t count;
    const oq_inner_node *list = oq_plan_inner(pair.plan, &count);
    ck_assert_uint_eq(count, 2);
    ck_assert_str_eq(list[0].node->name, "inside");
    ck_assert_str_eq(list[0].reason, "inside the body of another node");
    test_pair_emit(&pair);
    ck_assert_int_eq(oq_graph_value(pair.model->graph, oq_graph_find(pair.model->graph, "h"))->type.dtype,
                     ONNXQ_FLOAT);
    test_pair_release(&pair);
}
END_TEST

// What a Cast made floats of bools or bytes is on the grid of scale 1: no QuantizeLinear, and no error.
START_TEST(integers_behind_a_cast) {
    static const char *const sources[] = {"b = Greater(x, zero)\n", "b = Cast(x) to=2\n",
                                          "r = Greater(x, zero)\nb = Unsqueeze(r, none)\n"};
    for (int t = 0; t < 6; t++) {
        char text[512];
        options.format = t & 1 ? OQ_FORMAT_QDQ : OQ_FORMAT_QOPERATOR;
        snprintf(text, sizeof text,
                 "in x float32[4,8]\nconst zero float32[] 0\nconst none int64[1] 0\n%sf = Cast(b) to=1\n"
                 "const shape int64[2] 8 4\ng = Reshape(f, shape)\nconst w float32[4,2] 127 -127 1\n"
                 "y = MatMul(g, w)\nout y",
                 sources[t / 2]);
        test_pair_init(&pair, 13, text);
        pair.low = 0, pair.high = t / 2 == 1 ? 200 : 1;
        if (t / 2 != 1) pair.low = -1;
        test_pair_calibrate(&pair);
        test_pair_plan(&pair, &options);
        test_pair_emit(&pair);
        ck_assert_float_eq(test_tensor_plan(&pair, "f")->params[0].scale, 1);
        ck_assert_uint_eq(test_count(pair.model, "QuantizeLinear"), 0);
        ck_assert_double_eq(test_pair_sqnr(&pair), 999);
        test_pair_release(&pair);
    }
}
END_TEST

// Where numbers of another kind join, or the integers do not fit, a range decides.
START_TEST(no_integers_behind_a_cast) {
    static const char *const inputs[] = {"b = Greater(x, zero)\nf = Cast(b) to=1\ng = Concat(f, x) axis=0\n",
                                         "b = Cast(x) to=6\ng = Cast(b) to=1\n"};
    for (size_t t = 0; t < 2; t++) {
        char text[512];
        snprintf(
            text, sizeof text,
            "in x float32[4,4]\nconst zero float32[] 0\n%srandom w float32[4,2] 1 1\ny = MatMul(g, w)\nout y",
            inputs[t]);
        test_pair_init(&pair, 13, text);
        pair.high = 3;
        test_pair_calibrate(&pair);
        test_pair_plan(&pair, &options);
        test_pair_emit(&pair);
        ck_assert_float_lt(test_tensor_plan(&pair, "g")->params[0].scale, 0.5f);
        ck_assert_uint_ge(test_count(pair.model, "QuantizeLinear"), 1);
        test_pair_release(&pair);
    }
}
END_TEST

START_TEST(operators_are_counted) {
    oq_error err = {0};
    oq_operator_count *list;
    size_t count;
    test_pair_init(&pair, 13, network);
    CK_OK(oq_count_operators(pair.model->graph, &list, &count, &err), &err);
    ck_assert_uint_eq(count, 5);
    ck_assert_str_eq(list[0].op_type, "Add");
    ck_assert_uint_eq(list[0].count, 2);
    ck_assert_str_eq(list[1].op_type, "Conv");
    ck_assert_uint_eq(list[1].count, 2);
    oq_mem_free(&pair.mem, list);
    test_pair_release(&pair);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("emit");
    TCase *tcase = tcase_create("emit");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, same_inputs_same_graph, 0, 2);
    tcase_add_loop_test(tcase, names, 0, 2);
    tcase_add_test(tcase, names_that_are_taken);
    tcase_add_test(tcase, one_of_each);
    tcase_add_loop_test(tcase, shared_bias, 0, 2);
    tcase_add_test(tcase, tied_weights);
    tcase_add_test(tcase, weights_used_twice);
    tcase_add_loop_test(tcase, bias_of_small_channels, 0, 4);
    tcase_add_test(tcase, bias_that_would_overflow);
    tcase_add_loop_test(tcase, memory_may_end_anywhere, 0, 2);
    tcase_add_loop_test(tcase, scales_of_many_products_are_made_at_once, 0, 2);
    tcase_add_loop_test(tcase, bodies_read_floats, 0, 2);
    tcase_add_test(tcase, integers_behind_a_cast);
    tcase_add_test(tcase, no_integers_behind_a_cast);
    tcase_add_test(tcase, operators_are_counted);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
