// What the planner decides: folding, sharing, passthrough, reasons, bounds.
#include "support/quantized.h"
#include "support/support.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static test_pair pair;
static oq_quant_options options;

static void setup(void) { options = oq_quant_defaults(); }
static void quantize(const char *text) { test_pair_quantize(&pair, 13, text, &options); }

#define CONV(y, x, w) y " = Conv(" x ", " w ")\n"
#define HEAD                                                                                                 \
    "in x float32[1,3,6,6]\nrandom w float32[4,3,3,3] 1 1\nrandom v float32[2,4,1,1] 3 1\nrandom u "         \
    "float32[4,4,1,1] 4 1\n"

START_TEST(relu_is_folded_when_it_alone_reads) {
    quantize(HEAD CONV("h", "x", "w") "r = Relu(h)\n" CONV("y", "r", "v") "out y");
    ck_assert_int_eq(test_fate(&pair, "r")->fate, OQ_FATE_FOLDED);
    ck_assert_uint_eq(test_count(pair.model, "Relu"), 0);
    ck_assert_int_eq(test_tensor_plan(&pair, "r")->params[0].zero_point, 0);
    ck_assert_uint_eq(test_count(pair.model, "QuantizeLinear"), 1);
    ck_assert_uint_eq(test_count(pair.model, "DequantizeLinear"), 1);
    test_pair_release(&pair);
}
END_TEST

// Relu must not clamp what others read: several consumers, or a graph output.
START_TEST(relu_stays_when_others_read) {
    static const char *const texts[] = {
        HEAD CONV("h", "x", "w") "r = Relu(h)\nt = Tanh(h)\n" CONV("y", "r", "v") "out y t",
        HEAD CONV("h", "x", "w") "r = Relu(h)\n" CONV("y", "r", "v") "out y h",
    };
    for (int t = 0; t < 4; t++) {
        options.format = t & 1 ? OQ_FORMAT_QDQ : OQ_FORMAT_QOPERATOR;
        quantize(texts[t / 2]);
        ck_assert_int_eq(test_fate(&pair, "r")->fate, OQ_FATE_FLOAT);
        ck_assert_uint_eq(test_count(pair.model, "Relu"), 1);
        ck_assert_double_gt(test_pair_sqnr(&pair), 28);
        test_pair_release(&pair);
    }
}
END_TEST

// A clip is folded only where saturation does the same: zero must be on the grid and both bounds out of
// reach.
START_TEST(clip_bounds) {
    static const struct {
        const char *bounds;
        bool folded;
    } cases[] = {{"const a float32[] 0\nconst b float32[] 0.5\n", true},
                 {"const a float32[] -0.7\nconst b float32[] 0.9\n", true},
                 {"const a float32[] -100\nconst b float32[] 100\n", true},
                 {"const a float32[] 0.2\nconst b float32[] 0.9\n", false},
                 {"const a float32[] -3\nconst b float32[] -0.1\n", false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[1024];
        snprintf(text, sizeof text,
                 HEAD "%s" CONV("h", "x", "w") "r = Clip(h, a, b)\n" CONV("y", "r", "v") "out y r",
                 cases[i].bounds);
        quantize(text);
        ck_assert_msg((test_fate(&pair, "r")->fate == OQ_FATE_FOLDED) == cases[i].folded, "%s",
                      cases[i].bounds);
        ck_assert_double_gt(test_pair_sqnr(&pair), 28);
        test_pair_release(&pair);
    }
}
END_TEST

// Symmetric int8 reaches below zero, so that Relu has to stay.
START_TEST(symmetric_activations_keep_relu) {
    options.activation_signed = options.activation_symmetric = true;
    quantize(HEAD CONV("h", "x", "w") "r = Relu(h)\n" CONV("y", "r", "v") "out y");
    ck_assert_int_eq(test_fate(&pair, "r")->fate, OQ_FATE_FLOAT);
    test_pair_release(&pair);
}
END_TEST

START_TEST(passthrough_stays_in_integers) {
    static const char *const nodes[] = {
        "p = MaxPool(h) kernel_shape=[2,2]\n",
        "p = Transpose(h) perm=[0,1,3,2]\n",
        "const s int64[4] 1 4 2 8\np = Reshape(h, s)\n",
        "p = Flatten(h) axis=1\n",
        "const i int64[1] 0\np = Unsqueeze(h, i)\n",
        "p = Identity(h)\n",
        "const a int64[1] 0\nconst b int64[1] 2\nconst i int64[1] 3\np = Slice(h, a, b, i)\n",
        "const i int64[2] 0 2\np = Gather(h, i) axis=3\n",
        "const s int64[4] 2 4 4 4\np = Expand(h, s)\n",
        "const s int64[4] 1 1 2 1\np = Tile(h, s)\n",
        "const s int64[8] 0 0 1 1 0 0 1 1\np = Pad(h, s)\n",
        "const s int64[8] 0 0 1 1 0 0 1 1\nconst z float32[] 0\np = Pad(h, s, z)\n",
        "const s int64[8] 0 0 1 1 0 0 1 1\np = Pad(h, s) mode=\"reflect\"\n",
        "const s float32[4] 1 1 2 2\np = Resize(h, , s) mode=\"nearest\"\n",
        "p = DepthToSpace(h) blocksize=2\n",
        "p = SpaceToDepth(h) blocksize=2\n",
        "p, q = Split(h) axis=1\n",
        "p = Concat(h, h) axis=1\n",
    };
    for (int t = 0; t < 2; t++)
        for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
            char text[1024];
            options.format = t ? OQ_FORMAT_QDQ : OQ_FORMAT_QOPERATOR;
            snprintf(text, sizeof text,
                     HEAD CONV("h", "x", "w") "%sconst flat int64[2] 1 -1\nf = Reshape(p, flat)\n"
                                              "ft = Transpose(f) perm=[1,0]\nrandom m float32[1,3] 8 1\n"
                                              "y = MatMul(ft, m)\nout y",
                     nodes[i]);
            quantize(text);
            ck_assert_msg(test_fate(&pair, "p")->fate == OQ_FATE_PASSTHROUGH, "%s", nodes[i]);
            ck_assert_int_eq(test_fate(&pair, "y")->fate, OQ_FATE_QUANTIZED);
            ck_assert_float_eq(test_tensor_plan(&pair, "p")->params[0].scale,
                               test_tensor_plan(&pair, "h")->params[0].scale);
            // x and h in qdq, x in qoperator; never a pair in between.
            ck_assert_uint_eq(test_count(pair.model, "QuantizeLinear"), t ? 2 : 1);
            ck_assert_double_gt(test_pair_sqnr(&pair), 28);
            test_pair_release(&pair);
        }
}
END_TEST

// Interpolation, a border other than zero, indices: made of new values, so in float.
START_TEST(barriers) {
    static const char *const nodes[] = {
        "const s float32[4] 1 1 2 2\np = Resize(h, , s) mode=\"linear\"\n",
        "const s int64[8] 0 0 1 1 0 0 1 1\nconst z float32[] 1\np = Pad(h, s, z)\n",
        "p, q = MaxPool(h) kernel_shape=[2,2]\n",
        "p = Tanh(h)\n",
    };
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        char text[1024];
        snprintf(text, sizeof text, HEAD CONV("h", "x", "w") "%s" CONV("y", "p", "v") "out y", nodes[i]);
        quantize(text);
        ck_assert_msg(test_fate(&pair, "p")->fate == OQ_FATE_FLOAT, "%s", nodes[i]);
        ck_assert_double_gt(test_pair_sqnr(&pair), 28);
        test_pair_release(&pair);
    }
}
END_TEST

START_TEST(old_opsets_pool_in_float) {
    test_pair_quantize(
        &pair, 11, HEAD CONV("h", "x", "w") "p = MaxPool(h) kernel_shape=[2,2]\n" CONV("y", "p", "v") "out y",
        &options);
    ck_assert_int_eq(test_fate(&pair, "p")->fate, OQ_FATE_FLOAT);
    test_pair_release(&pair);
}
END_TEST

START_TEST(concat_of_very_different_ranges) {
    const char *text = HEAD CONV("h", "x", "w")
        CONV("g", "x", "w") "k = Concat(h, g) axis=1\nrandom m float32[2,8,1,1] 8 1\n" CONV("y", "k", "m")
            CONV("z", "g", "v") "out y z";
    for (int t = 0; t < 2; t++) {
        test_pair_init(&pair, 13, text);
        test_pair_calibrate(&pair);
        if (t) { // g, which a Conv reads too, is 100 times narrower than h
            test_pair_range(&pair, "g", -0.05f, 0.05f);
            test_pair_range(&pair, "h", -5, 5);
            test_pair_range(&pair, "k", -5, 5);
        }
        test_pair_plan(&pair, &options);
        ck_assert_int_eq(test_fate(&pair, "k")->fate, t ? OQ_FATE_ELEMENTWISE : OQ_FATE_PASSTHROUGH);
        // h, which nobody else reads, is made on the grid of all; g keeps its own.
        const float wide = test_tensor_plan(&pair, "k")->params[0].scale;
        ck_assert_float_eq(test_tensor_plan(&pair, "h")->params[0].scale, wide);
        if (t) ck_assert_float_lt(test_tensor_plan(&pair, "g")->params[0].scale, wide / 50);
        test_pair_emit(&pair);
        test_pair_release(&pair);
    }
}
END_TEST

// One of the inputs is a folded Relu: a shared zero point above 0 would let negative values through.
START_TEST(concat_does_not_undo_relu) {
    quantize(HEAD CONV("h", "x", "w") "r = Relu(h)\n" CONV(
        "g", "x", "w") "k = Concat(r, g) axis=1\n"
                       "random m float32[2,8,1,1] 8 1\n" CONV("y", "k", "m") "out y");
    ck_assert_double_gt(test_pair_sqnr(&pair), 28);
    ck_assert_int_eq(test_fate(&pair, "r")->fate, OQ_FATE_FOLDED);
    test_pair_release(&pair);
}
END_TEST

START_TEST(float_results_are_not_quantized) {
    quantize("in x float32[3,16]\nrandom w float32[16,8] 1 1\nrandom b float32[8] 2 1\nm = MatMul(x, w)\ns = "
             "Add(m, b)\n"
             "y = Softmax(s) axis=1\nout y");
    ck_assert(!test_tensor_plan(&pair, "s")->quantized);
    ck_assert_int_eq(test_fate(&pair, "s")->fate, OQ_FATE_FOLDED);
    ck_assert_uint_eq(test_count(pair.model, "MatMulInteger"), 1);
    ck_assert_uint_eq(test_count(pair.model, "QuantizeLinear"), 1);
    // Its own scale alone stands behind a DequantizeLinear.
    ck_assert_uint_eq(test_count(pair.model, "DequantizeLinear"), 1);
    const oq_node *scale = test_producer(pair.model, "m_scale");
    ck_assert_str_eq(scale->op_type, "Mul");
    ck_assert_ptr_nonnull(oq_graph_producer_is(pair.model->graph, scale->inputs[0], "DequantizeLinear"));
    test_pair_release(&pair);
}
END_TEST

// The range before HardSwish is cut where the function is 0, unless something else reads it too.
START_TEST(range_is_cut_before_a_region) {
    for (int t = 0; t < 2; t++) {
        char text[1024];
        snprintf(
            text, sizeof text,
            HEAD CONV("h", "x",
                      "w") "const three float32[] 3\nconst zero float32[] 0\nconst six float32[] 6\n"
                           "a = Add(h, three)\nc = Clip(a, zero, six)\nm = Mul(h, c)\nd = Div(m, six)\n" CONV(
                               "y", "d", "v") "out y%s",
            t ? " h" : "");
        test_pair_init(&pair, 13, text);
        test_pair_calibrate(&pair);
        test_pair_range(&pair, "h", -20, 20);
        test_pair_plan(&pair, &options);
        const oq_qparam param = test_tensor_plan(&pair, "h")->params[0];
        ck_assert_double_eq_tol((double)param.scale, t ? 40 / 255. : 23 / 255., 1e-6);
        ck_assert(!test_tensor_plan(&pair, "c")->quantized && !test_tensor_plan(&pair, "m")->quantized);
        test_pair_release(&pair);
    }
}
END_TEST

START_TEST(choice_by_name_and_operator) {
    const char *text = "in x float32[3,16]\nrandom w float32[16,8] 1 1\nrandom v float32[8,8] 1 1\n"
                       "a = MatMul(x, w) name=\"enc.0.mm\"\nb = MatMul(a, v) name=\"enc.1.mm\"\n"
                       "y = Gemm(b, v) name=\"head\"\nout y";
    static const struct {
        const char *include, *exclude, *op;
        bool a, b, y;
    } cases[] = {{NULL, NULL, NULL, true, true, true},
                 {"enc.*", NULL, NULL, true, true, false},
                 {NULL, "enc.1*", NULL, true, false, true},
                 {NULL, "op:Gemm", NULL, true, true, false},
                 {"op:MatMul", "enc.0.mm", NULL, false, true, false},
                 {NULL, NULL, "Gemm", false, false, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        options = oq_quant_defaults();
        options.include = &cases[i].include, options.include_count = cases[i].include != NULL;
        options.exclude = &cases[i].exclude, options.exclude_count = cases[i].exclude != NULL;
        options.op_types = &cases[i].op, options.op_type_count = cases[i].op != NULL;
        quantize(text);
        const bool wanted[] = {cases[i].a, cases[i].b, cases[i].y};
        const char *const names[] = {"a", "b", "y"};
        for (int k = 0; k < 3; k++) {
            const oq_node_plan *fate = test_fate(&pair, names[k]);
            ck_assert_msg((fate->fate == OQ_FATE_QUANTIZED) == wanted[k], "case %zu %s", i, names[k]);
            ck_assert((fate->reason == NULL) == wanted[k]);
        }
        test_pair_release(&pair);
    }
}
END_TEST

START_TEST(override_leaves_one_node_float) {
    const oq_node_override override = {.node = 1, .leave_float = "the budget asks for it"};
    options = oq_quant_defaults();
    options.overrides = &override, options.override_count = 1;
    quantize("in x float32[3,16]\nrandom w float32[16,8] 1 1\nrandom v float32[8,8] 1 1\n"
             "a = MatMul(x, w)\nb = MatMul(a, v)\ny = Gemm(b, v)\nout y");
    ck_assert(test_fate(&pair, "a")->fate == OQ_FATE_QUANTIZED);
    ck_assert_str_eq(test_fate(&pair, "b")->reason, override.leave_float);
    ck_assert(test_fate(&pair, "y")->fate == OQ_FATE_QUANTIZED);
    test_pair_release(&pair);
}
END_TEST

// What gains nothing by being quantized stays float, unless it is named.
START_TEST(guards) {
    static const char text[] =
        "in x float32[1,2,6,8]\nin z float32[1,2,8,6]\ny = MatMul(x, z) name=\"scores\"\n"
        "random w float32[6,4] 1 1\nv = MatMul(y, w)\nout v";
    static const char *const all[] = {"*"};
    for (int named = 0; named < 3; named++) {
        options.guards = named < 2;
        options.include = all;
        options.include_count = named == 1;
        quantize(text);
        const oq_node_plan *fate = test_fate(&pair, "y");
        ck_assert_int_eq(fate->fate, named ? OQ_FATE_QUANTIZED : OQ_FATE_FLOAT);
        if (!named) ck_assert_ptr_nonnull(strstr(fate->reason, "two activations"));
        ck_assert_int_eq(test_fate(&pair, "v")->fate, OQ_FATE_QUANTIZED);
        test_pair_release(&pair);
    }
}
END_TEST

START_TEST(reasons) {
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"in x float32[1,3,6,6]\nin w float32[4,3,3,3]\ny = Conv(x, w)\nout y",
         "its weights are computed at run time"},
        {"in x float32[1,3,6,6]\nrandom w float32[4,3,3,3] 1 1\nin b float32[4]\ny = Conv(x, w, b)\nout y",
         "its bias is computed at run time"},
        {"in x float32[1,3,6,6]\nrandom w float32[3,4,3,3] 1 1\ny = ConvTranspose(x, w)\nout y",
         "ONNX has no integer transposed convolution"},
        {"in x float32[2,2]\nconst w float32[2,2] 1e-35\ny = MatMul(x, w)\nout y",
         "the product of its scales is not a normal float32 number"},
        {"in x float32[1,140000]\nconst w float32[140000,1] 1\ny = MatMul(x, w)\nout y",
         "its sums may overflow the int32 accumulator"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        quantize(cases[i].text);
        const oq_node_plan *fate = test_fate(&pair, "y");
        ck_assert_int_eq(fate->fate, OQ_FATE_FLOAT);
        ck_assert_str_eq(fate->reason, cases[i].reason);
        ck_assert_double_eq(test_pair_sqnr(&pair), 999);
        test_pair_release(&pair);
    }
}
END_TEST

// Channels whose weights are next to nothing beside the others' do not keep a layer float, with a bias or
// without; they become 0.
START_TEST(dead_channels) {
    static const char *const texts[] = {
        "in x float32[2,2]\nconst w float32[2,2] 1 1e-35 -1 1e-35\ny = MatMul(x, w)\nout y",
        "in x float32[1,2,1,9]\nconst w float32[2,2,1,1] 1 -1 1e-35 1e-35\ny = Conv(x, w)\nout y",
        "in x float32[1,2,1,9]\nconst w float32[2,2,1,1] 100 -100 1e-35 1e-35\n"
        "const b float32[2] 1 1e-38\ny = Conv(x, w, b)\nout y",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        quantize(texts[i]);
        const oq_node_plan *fate = test_fate(&pair, "y");
        ck_assert_msg(fate->fate == OQ_FATE_QUANTIZED, "%s: %s", texts[i], fate->reason);
        ck_assert_double_gt(test_pair_sqnr(&pair), 30);
        test_pair_release(&pair);
    }
}
END_TEST

START_TEST(never_calibrated) {
    test_pair_init(&pair, 13,
                   "in x float32[2,2]\nconst w float32[2,2] 1\nh = Tanh(x)\ny = MatMul(h, w)\nout y");
    test_pair_plan(&pair, &options);
    ck_assert_str_eq(test_fate(&pair, "y")->reason,
                     "a tensor beside it was never computed during calibration");
    test_pair_emit(&pair);
    test_pair_release(&pair);
}
END_TEST

START_TEST(infinity_is_an_error_that_names_the_tensor) {
    oq_error err = {0};
    test_pair_init(&pair, 13,
                   "in x float32[2,2]\nconst w float32[2,2] 1\nh = Tanh(x)\ny = MatMul(h, w)\nout y");
    test_pair_range(&pair, "h", -1, INFINITY);
    oq_stats_find(pair.stats, "h")->infinite = 1;
    ck_assert_int_eq(oq_plan_make(pair.model->graph, pair.stats, &options, &pair.plan, &err), ONNXQ_BAD_DATA);
    ck_assert_ptr_nonnull(strstr(err.message, "h"));
    ck_assert_ptr_null(pair.plan);
    test_pair_release(&pair);
}
END_TEST

START_TEST(contradicting_options) {
    oq_error err = {0};
    test_pair_init(&pair, 13, "in x float32[2,2]\nconst w float32[2,2] 1\ny = MatMul(x, w)\nout y");
    options.activation_signed = true;
    options.weight_signed = false;
    ck_assert_int_eq(oq_plan_make(pair.model->graph, pair.stats, &options, &pair.plan, &err), ONNXQ_USAGE);
    test_pair_release(&pair);
}
END_TEST

// Ranges of the observed values are all that a plan needs.
START_TEST(observing_what_is_needed) {
    const char *text =
        HEAD CONV("h", "x", "w") "r = Relu(h)\np = MaxPool(r) kernel_shape=[2,2]\n" CONV("g", "p", "u")
            CONV("y", "g", "v") "t = Tanh(y)\ns = Sin(t)\nout s";
    oq_error err = {0};
    for (int format = 0; format < 2; format++) {
        options.format = format ? OQ_FORMAT_QDQ : OQ_FORMAT_QOPERATOR;
        test_pair_init(&pair, 13, text);
        test_pair_calibrate(&pair);
        bool *observed = oq_mem_calloc(&pair.mem, pair.model->graph->value_count, sizeof *observed, &err);
        CK_OK(oq_quant_observe(pair.model->graph, &options, observed, &err), &err);
        ck_assert(observed[test_value(pair.model, "x")] && observed[test_value(pair.model, "r")]);
        ck_assert(!observed[test_value(pair.model, "t")] && !observed[test_value(pair.model, "w")]);
        for (size_t v = 0; v < pair.model->graph->value_count; v++) {
            oq_tensor_stats *stats =
                oq_stats_find(pair.stats, oq_graph_value(pair.model->graph, (int)v)->name);
            if (stats && !observed[v]) stats->count = 0;
        }
        oq_mem_free(&pair.mem, observed);
        test_pair_plan(&pair, &options);
        ck_assert_uint_eq(oq_plan_summarize(pair.plan).quantized, 3);
        ck_assert_int_eq(test_fate(&pair, "p")->fate, OQ_FATE_PASSTHROUGH);
        test_pair_emit(&pair);
        ck_assert_double_gt(test_pair_sqnr(&pair), 26);
        test_pair_release(&pair);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("plan");
    TCase *tcase = tcase_create("plan");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, relu_is_folded_when_it_alone_reads);
    tcase_add_test(tcase, relu_stays_when_others_read);
    tcase_add_test(tcase, clip_bounds);
    tcase_add_test(tcase, symmetric_activations_keep_relu);
    tcase_add_test(tcase, passthrough_stays_in_integers);
    tcase_add_test(tcase, barriers);
    tcase_add_test(tcase, old_opsets_pool_in_float);
    tcase_add_test(tcase, concat_of_very_different_ranges);
    tcase_add_test(tcase, concat_does_not_undo_relu);
    tcase_add_test(tcase, float_results_are_not_quantized);
    tcase_add_test(tcase, range_is_cut_before_a_region);
    tcase_add_test(tcase, choice_by_name_and_operator);
    tcase_add_test(tcase, override_leaves_one_node_float);
    tcase_add_test(tcase, guards);
    tcase_add_test(tcase, reasons);
    tcase_add_test(tcase, dead_channels);
    tcase_add_test(tcase, never_calibrated);
    tcase_add_test(tcase, infinity_is_an_error_that_names_the_tensor);
    tcase_add_test(tcase, contradicting_options);
    tcase_add_test(tcase, observing_what_is_needed);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
