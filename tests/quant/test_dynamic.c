// Dynamic mode: one DynamicQuantizeLinear a value, exact integer products behind it, reasons for what stays
// float.
#include "support/quantized.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>

static oq_quant_options dynamic(void) {
    oq_quant_options options = oq_quant_defaults();
    options.mode = OQ_MODE_DYNAMIC;
    return options;
}

static const char *const every_operator[] = {"MatMul", "Gemm", "Conv"};

// Each form of a product, at 8 bits within what 8 bits of activations and weights cost.
static const struct {
    const char *name, *nodes;
    double least; // dB
} products[] = {
    {"matrix product", "random w float32[6,5] 3 0.4\ny = MatMul(x, w)\nout y\n", 35},
    {"with a bias",
     "random w float32[6,5] 3 0.4\nrandom b float32[5] 4 1\np = MatMul(x, w)\ny = Add(p, b)\nout y\n", 35},
    {"Gemm",
     "random w float32[5,6] 3 0.4\nrandom b float32[5] 4 1\ny = Gemm(x, w, b) transB=1 alpha=0.5 "
     "beta=2.0\nout y\n",
     35},
    {"Gemm of the transposed input", "random w float32[4,5] 3 0.4\ny = Gemm(x, w) transA=1\nout y\n", 35},
    {"Gemm with a computed addend",
     "random w float32[6,5] 3 0.4\nr = ReduceMean(x)\ny = Gemm(x, w, r) beta=0.5\nout y\n", 35},
    {"stack of matrices", "random w float32[2,6,5] 3 0.4\ny = MatMul(x, w)\nout y\n", 35},
    {"vector", "random w float32[6] 3 0.4\ny = MatMul(x, w)\nout y\n", 35},
    {"convolution",
     "const s int64[4] 1 2 3 4\nrandom w float32[4,2,2,2] 3 0.4\nrandom b float32[4] 4 1\nr = Reshape(x, s)\n"
     "y = Conv(r, w, b) pads=[1,1,0,0]\nout y\n",
     35},
    {"grouped convolution along a line",
     "const s int64[3] 1 4 6\nrandom w float32[8,1,3] 3 0.4\nr = Reshape(x, s)\ny = Conv(r, w) group=4\nout "
     "y\n",
     35},
};

START_TEST(products_keep_what_8_bits_can) {
    static const int settings[] = {0, 1, 2};
    char text[1024];
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        test_pair pair;
        oq_quant_options options = dynamic();
        options.op_types = every_operator;
        options.op_type_count = 3;
        options.per_channel = settings[i] != 1;
        options.weight_signed = settings[i] != 2;
        snprintf(text, sizeof text, "in x float32[4,6]\n%s", products[_i].nodes);
        test_pair_quantize(&pair, 13, text, &options);
        const double sqnr = test_pair_sqnr(&pair);
        ck_assert_msg(sqnr > products[_i].least && sqnr < 100, "%s, setting %d: %.1f dB", products[_i].name,
                      settings[i], sqnr);
        ck_assert_uint_eq(test_count(pair.model, "DynamicQuantizeLinear"), 1);
        ck_assert_uint_eq(test_count(pair.model, "MatMulInteger") + test_count(pair.model, "ConvInteger"), 1);
        test_pair_release(&pair);
    }
}
END_TEST

START_TEST(readers_of_a_value_share_its_integers) {
    test_pair pair;
    const oq_quant_options options = dynamic();
    test_pair_quantize(
        &pair, 13,
        "in x float32[4,6]\nrandom v float32[6,6] 1 1\nrandom w float32[6,6] 2 1\nq = MatMul(x, v)\n"
        "k = MatMul(x, w)\ny = Add(q, k)\nz = Relu(x)\nout y z\n",
        &options);
    ck_assert_uint_eq(test_count(pair.model, "MatMulInteger"), 2);
    ck_assert_uint_eq(test_count(pair.model, "DynamicQuantizeLinear"), 1);
    ck_assert_str_eq(test_producer(pair.model, "z")->op_type, "Relu"); // which reads x itself
    test_pair_release(&pair);
}
END_TEST

static const struct {
    const char *reason, *nodes;
} left[] = {
    {"integer convolutions of dynamic mode are slower than float ones: name them with --ops or --include",
     "const s int64[4] 1 2 3 4\nrandom w float32[4,2,2,2] 3 0.4\nr = Reshape(x, s)\ny = Conv(r, w)\nout y\n"},
    {"both factors are computed at run time", "t = Transpose(x) perm=[1,0]\ny = MatMul(x, t)\nout y\n"},
    {"its constant factor stands on the left", "random w float32[5,4] 3 0.4\ny = MatMul(w, x)\nout y\n"},
    {"its weights hold NaN or infinity", "const w float32[6,5] inf\ny = MatMul(x, w)\nout y\n"},
    {"the standard has no integer form of it",
     "const s int64[3] 2 2 6\nr = Reshape(x, s)\nrandom w float32[1,16,6] 1 1\nrandom h float32[1,16,4] 2 1\n"
     "y = LSTM(r, w, h) hidden_size=4\nout y\n"},
};

START_TEST(what_stays_float_has_a_reason) {
    char text[1024];
    test_pair pair;
    const oq_quant_options options = dynamic();
    snprintf(text, sizeof text, "in x float32[4,6]\n%s", left[_i].nodes);
    test_pair_init(&pair, 14, text);
    test_pair_plan(&pair, &options);
    const oq_node_plan *fate = test_fate(&pair, "y");
    ck_assert_int_eq(fate->fate, OQ_FATE_FLOAT);
    ck_assert_str_eq(fate->reason, left[_i].reason);
    test_pair_release(&pair);
}
END_TEST

START_TEST(sums_stay_within_int32) {
    test_pair pair;
    const oq_quant_options options = dynamic();
    test_pair_init(&pair, 13, "in x float32[1,70000]\nconst w float32[70000,1] 1\ny = MatMul(x, w)\nout y\n");
    test_pair_plan(&pair, &options);
    ck_assert_str_eq(test_fate(&pair, "y")->reason, "its sums may overflow the int32 accumulator");
    test_pair_release(&pair);
}
END_TEST

START_TEST(only_8_bit_unsigned_activations) {
    oq_error err = {0};
    oq_plan *plan;
    test_pair pair;
    test_pair_init(&pair, 13, "in x float32[4,6]\nrandom w float32[6,5] 3 0.4\ny = MatMul(x, w)\nout y\n");
    oq_quant_options wrong[4] = {dynamic(), dynamic(), dynamic(), dynamic()};
    wrong[0].activation_bits = 4;
    wrong[1].weight_bits = 16;
    wrong[2].activation_signed = true;
    wrong[3].activation_symmetric = true;
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(oq_plan_make(pair.model->graph, NULL, &wrong[i], &plan, &err), ONNXQ_USAGE);
    test_pair_release(&pair);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("dynamic");
    TCase *c = tcase_create("dynamic");
    tcase_add_loop_test(c, products_keep_what_8_bits_can, 0, sizeof products / sizeof *products);
    tcase_add_test(c, readers_of_a_value_share_its_integers);
    tcase_add_loop_test(c, what_stays_float_has_a_reason, 0, sizeof left / sizeof *left);
    tcase_add_test(c, sums_stay_within_int32);
    tcase_add_test(c, only_8_bit_unsigned_activations);
    suite_add_tcase(suite, c);
    return test_main(suite);
}
