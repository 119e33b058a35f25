// Convolutions along one axis with float results: written as matrix products over slices.
#include "support/quantized.h"
#include "support/support.h"

#include <stdio.h>

static test_pair pair;
static oq_quant_options options;

static void setup(void) { options = oq_quant_defaults(); }

static const struct {
    const char *nodes;
    size_t slices;
} lines[] = {
    {"in x float32[2,48,20]\nrandom w float32[16,48,3] 1 1\nh = Conv(x, w)\n", 3},
    {"in x float32[2,48,20]\nrandom w float32[16,48,3] 1 1\nrandom b float32[16] 2 9\nh = Conv(x, w, b) "
     "pads=[2,1]\n",
     3},
    {"in x float32[2,48,21]\nrandom w float32[16,48,3] 1 1\nh = Conv(x, w) strides=[2] dilations=[3]\n", 3},
    {"in x float32[1,64,1,9]\nrandom w float32[16,64,1,4] 1 1\nh = Conv(x, w) pads=[0,3,0,0] strides=[1,3]\n",
     4},
    {"in x float32[1,64,9,1]\nrandom w float32[16,64,2,1] 1 1\nh = Conv(x, w) dilations=[2,1]\n", 2},
    {"in x float32[1,130,7]\nrandom w float32[16,130,1] 1 1\nh = Conv(x, w)\n", 0},
    {"in x float32[1,130,7]\nrandom w float32[16,130,1] 1 1\nh = Conv(x, w) strides=[2]\n", 1},
};

START_TEST(same_numbers) {
    for (int asymmetric = 0; asymmetric < 2; asymmetric++)
        for (int format = 0; format < 2; format++) {
            char text[1024];
            options.format = format ? OQ_FORMAT_QDQ : OQ_FORMAT_QOPERATOR;
            options.weight_asymmetric = asymmetric;
            snprintf(text, sizeof text, "%sy = Tanh(h)\nout h y", lines[_i].nodes);
            test_pair_quantize(&pair, 13, text, &options);
            ck_assert_uint_eq(test_count(pair.model, "QLinearConv") + test_count(pair.model, "Conv"), 0);
            ck_assert_uint_eq(test_count(pair.model, format ? "MatMul" : "MatMulInteger"), 1);
            ck_assert_uint_eq(test_count(pair.model, "Slice"), lines[_i].slices);
            ck_assert_uint_eq(test_count(pair.model, "QuantizeLinear"), 1); // none for the result
            ck_assert_double_gt(test_pair_sqnr(&pair), 38);
            test_pair_release(&pair);
        }
}
END_TEST

// With one scale for all weights, narrow weights, and a border that is not 0.
START_TEST(other_widths) {
    options.per_channel = false;
    options.weight_bits = 4;
    for (int format = 0; format < 2; format++) {
        options.format = format ? OQ_FORMAT_QDQ : OQ_FORMAT_QOPERATOR;
        test_pair_init(
            &pair, 21,
            "in x float32[2,48,20]\nrandom w float32[16,48,3] 1 1\nh = Conv(x, w) pads=[1,1]\nout h");
        pair.low = 1, pair.high = 2; // the zero point is 0, the border must still be it
        test_pair_calibrate(&pair);
        test_pair_plan(&pair, &options);
        test_pair_emit(&pair);
        ck_assert_uint_eq(test_count(pair.model, format ? "MatMul" : "MatMulInteger"), 1);
        ck_assert_double_gt(test_pair_sqnr(&pair), 15);
        test_pair_release(&pair);
    }
}
END_TEST

// Two long axes, groups, shallow sums, readers that take integers, opsets in which Squeeze has no input.
START_TEST(stay_convolutions) {
    static const struct {
        int64_t opset;
        const char *text;
    } cases[] = {
        {13, "in x float32[1,48,9,9]\nrandom w float32[16,48,3,1] 1 1\nh = Conv(x, w)\nout h"},
        {13, "in x float32[1,96,9]\nrandom w float32[16,48,3] 1 1\nh = Conv(x, w) group=2\nout h"},
        {13, "in x float32[1,8,9]\nrandom w float32[16,8,3] 1 1\nh = Conv(x, w)\nout h"},
        {13, "in x float32[1,48,9]\nrandom w float32[16,48,3] 1 1\nh = Conv(x, w) "
             "auto_pad=\"SAME_UPPER\"\nout h"},
        {13, "in x float32[1,48,9,1]\nrandom w float32[16,48,3,1] 1 1\nh = Conv(x, w) pads=[0,1,0,1]\nout h"},
        {13, "in x float32[1,48,9]\nrandom w float32[16,48,3] 1 1\nh = Conv(x, w)\n"
             "random v float32[2,16,3] 2 1\ny = Conv(h, v)\nout y"},
        {11, "in x float32[1,48,9]\nrandom w float32[16,48,3] 1 1\nh = Conv(x, w)\nout h"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        test_pair_quantize(&pair, cases[i].opset, cases[i].text, &options);
        ck_assert_msg(test_count(pair.model, "MatMulInteger") == 0, "%s", cases[i].text);
        ck_assert_uint_ge(test_count(pair.model, "QLinearConv"), 1);
        test_pair_release(&pair);
    }
}
END_TEST

// Float and integer readers: the float result, quantized once more for the latter.
START_TEST(both_kinds_of_readers) {
    test_pair_quantize(&pair, 13,
                       "in x float32[1,48,9]\nrandom w float32[16,48,3] 1 1\nh = Conv(x, w)\nt = Tanh(h)\n"
                       "random v float32[2,16,3] 2 1\ny = Conv(h, v)\nout y t",
                       &options);
    ck_assert_uint_eq(test_count(pair.model, "MatMulInteger"), 1);
    ck_assert_uint_eq(test_count(pair.model, "QuantizeLinear"), 2);
    ck_assert_double_gt(test_pair_sqnr(&pair), 30);
    test_pair_release(&pair);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("line");
    TCase *tcase = tcase_create("line");
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, same_numbers, 0, sizeof lines / sizeof *lines);
    tcase_add_test(tcase, other_widths);
    tcase_add_test(tcase, stay_convolutions);
    tcase_add_test(tcase, both_kinds_of_readers);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
