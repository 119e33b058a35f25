// Guards for detection tails and for Concat of ranges far apart.
#include "support/quantized.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>

static test_pair pair;
static oq_quant_options options;

static void setup(void) {
    options = oq_quant_defaults();
    options.guards = true;
}

// A convolution `h` of one element, one `g` of nine, and what stands behind them.
#define HEAD                                                                                                 \
    "in x float32[1,16,4,4]\nrandom w float32[16,16,3,3] 1 .3\nrandom p float32[8,16,1,1] 2 .3\n"            \
    "random k float32[8,16,3,3] 3 .3\nrandom pb float32[8] 4 1\na = Conv(x, w) pads=[1,1,1,1]\n"             \
    "b = Relu(a)\nh = Conv(b, p, pb)\ng = Conv(b, k) pads=[1,1,1,1]\nconst rows int64[3] 1 4 -1\n"           \
    "const flat int64[2] 1 -1\nconst most int64[] 5\nconst five int64[1] 5\nconst least float32[] .1\n"      \
    "const wide float32[] 40\n"

static const struct {
    const char *name, *text, *end; // `end`: what the reasons name; NULL: nothing is guarded
} tails[] = {
    {"non-maximum suppression",
     HEAD "s = Sigmoid(g)\nbt = Reshape(h, rows)\nbo = Transpose(bt) perm=[0,2,1]\nst = Reshape(s, rows)\n"
          "y = NonMaxSuppression(bo, st, most, least) name=\"nms\"\nout y\n",
     "NonMaxSuppression 'nms'"},
    {"the best scores",
     HEAD "hs = Sigmoid(h)\nf = Reshape(hs, flat)\nv, i = TopK(f, five) name=\"top\"\nd = Reshape(g, flat)\n"
          "y = GatherElements(d, i) axis=1\nout v y\n",
     "TopK 'top'"},
    {"sizes are exponentials", HEAD "y = Exp(h) name=\"sizes\"\ne = Exp(g)\nout y e\n", "Exp 'sizes'"},
    {"boxes beside scores",
     HEAD "s = Sigmoid(g)\nm = Mul(h, wide)\ny = Concat(m, s) axis=1 name=\"both\"\nout y\n",
     "Concat 'both'"},
    {"outputs", HEAD "out h g\n", NULL},
    {"functions to the end", HEAD "y = Tanh(h)\nz = Tanh(g)\nout y z\n", NULL},
    {"alike side by side", HEAD "y = Concat(h, g) axis=1\nout y\n", NULL},
    {"an exponential before a layer",
     HEAD
     "e = Exp(h)\nrandom q float32[4,8,1,1] 5 .3\nc = Conv(e, q)\ny = Add(c, c)\nz = Conv(g, q)\nout y z\n",
     NULL},
};

START_TEST(last_layers) {
    for (int format = 0; format < 2; format++) {
        options.format = format ? OQ_FORMAT_QDQ : OQ_FORMAT_QOPERATOR;
        test_pair_init(&pair, 13, tails[_i].text);
        test_pair_calibrate(&pair);
        test_pair_plan(&pair, &options);
        const oq_node_plan *point = test_fate(&pair, "h"), *window = test_fate(&pair, "g");
        ck_assert_int_eq(test_fate(&pair, "a")->fate, OQ_FATE_QUANTIZED);
        ck_assert_ptr_null(test_fate(&pair, "a")->guard);
        ck_assert_int_eq(point->fate, OQ_FATE_QUANTIZED);
        if (tails[_i].end) {
            ck_assert_ptr_nonnull(strstr(point->guard, tails[_i].end));
            ck_assert_int_eq(window->fate, OQ_FATE_QUANTIZED);
            ck_assert_ptr_nonnull(strstr(window->guard, "its result has 8 bits"));
            ck_assert(!test_tensor_plan(&pair, "h")->quantized);
            ck_assert(test_tensor_plan(&pair, "g")->quantized);
        } else {
            ck_assert_int_eq(window->fate, OQ_FATE_QUANTIZED);
            ck_assert(!point->guard && !window->guard);
            ck_assert(test_tensor_plan(&pair, "h")->quantized);
        }
        test_pair_emit(&pair);
        ck_assert_uint_eq(test_count(pair.model, format ? "MatMul" : "MatMulInteger"), tails[_i].end != NULL);
        if (!strstr(tails[_i].text, "NonMax")) ck_assert_double_gt(test_pair_sqnr(&pair), 25);
        test_pair_release(&pair);
    }
}
END_TEST

// Turned off, by an inclusion, and by the layer's own widths.
START_TEST(only_where_nobody_chose) {
    static const char *const all[] = {"*"};
    for (int way = 0; way < 3; way++) {
        setup();
        test_pair_init(&pair, 13, tails[2].text);
        const oq_node_override own = {
            .node = oq_graph_value(pair.model->graph, test_value(pair.model, "g"))->producer,
            .weight_bits = 8,
            .activation_bits = 8};
        options.guards = way != 0;
        if (way == 1) options.include = all, options.include_count = 1;
        if (way == 2) options.overrides = &own, options.override_count = 1;
        test_pair_calibrate(&pair);
        test_pair_plan(&pair, &options);
        ck_assert_int_eq(test_fate(&pair, "g")->fate, OQ_FATE_QUANTIZED);
        ck_assert(!test_fate(&pair, "h")->guard == (way != 2));
        test_pair_release(&pair);
    }
}
END_TEST

// Expected distances: the sum over constants is part of decoding, and the tail begins above it.
START_TEST(expected_values) {
    test_pair_init(&pair, 13,
                   "in x float32[1,16,4,4]\nrandom p float32[32,16,1,1] 2 1\nh = Conv(x, p) name=\"head\"\n"
                   "const rows int64[4] 1 8 4 16\nr = Reshape(h, rows)\ns = Softmax(r) axis=1\n"
                   "const d float32[1,8,1,1] 0 1 2 3 4 5 6 7\nc = Conv(s, d) name=\"distance\"\n"
                   "const three int64[3] 1 4 16\nb = Reshape(c, three)\nbo = Transpose(b) perm=[0,2,1]\n"
                   "in z float32[1,2,16]\nconst most int64[] 5\n"
                   "y = NonMaxSuppression(bo, z, most) name=\"nms\"\nout y bo\n");
    test_pair_calibrate(&pair);
    test_pair_plan(&pair, &options);
    ck_assert_ptr_nonnull(
        strstr(test_fate(&pair, "c")->reason, "decodes what NonMaxSuppression 'nms' takes"));
    ck_assert_ptr_nonnull(strstr(test_fate(&pair, "h")->guard, "its result stays float"));
    test_pair_release(&pair);
}
END_TEST

// A narrow input that counts as much as a wide one behind a Concat is not rounded on the wide one's grid; one
// that counts little is. Both keep their own grids up to the Concat.
START_TEST(far_inputs_of_a_convolution) {
    for (int little = 0; little < 2; little++) {
        char text[512];
        snprintf(text, sizeof text,
                 "in x float32[1,2,4,4]\nin z float32[1,2,4,4]\nrandom p float32[2,2,1,1] 1 30\n"
                 "random q float32[2,2,1,1] 2 .3\na = Conv(x, p)\nb = Conv(z, q)\nc = Concat(a, b) axis=1 "
                 "name=\"both\"\n"
                 "const w float32[1,4,1,1] %s\ny = Conv(c, w)\nout y\n",
                 little ? "1" : ".01 .01 1 1");
        test_pair_init(&pair, 13, text);
        test_pair_channels(&pair, "a", 1);
        test_pair_channels(&pair, "b", 1);
        test_pair_calibrate(&pair);
        test_pair_plan(&pair, &options);
        ck_assert_ptr_nonnull(strstr(test_fate(&pair, "c")->guard, "they share no grid"));
        ck_assert_int_eq(test_fate(&pair, "c")->fate, little ? OQ_FATE_ELEMENTWISE : OQ_FATE_FLOAT);
        ck_assert_int_eq(test_fate(&pair, "y")->fate, little ? OQ_FATE_QUANTIZED : OQ_FATE_FLOAT);
        ck_assert_float_ne(test_tensor_plan(&pair, "a")->params[0].scale,
                           test_tensor_plan(&pair, "b")->params[0].scale);
        if (!little)
            ck_assert_ptr_nonnull(strstr(test_fate(&pair, "y")->reason, "the narrow ones would lose"));
        test_pair_emit(&pair);
        ck_assert_double_gt(test_pair_sqnr(&pair), 30);
        test_pair_release(&pair);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("quant tails");
    TCase *tcase = tcase_create("tails");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, last_layers, 0, (int)(sizeof tails / sizeof tails[0]));
    tcase_add_test(tcase, only_where_nobody_chose);
    tcase_add_test(tcase, expected_values);
    tcase_add_test(tcase, far_inputs_of_a_convolution);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
