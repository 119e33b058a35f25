// Every form of MatMul, Gemm and Conv: quantized in both formats, near the float result on the same samples.
#include "support/quantized.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>

typedef struct product {
    const char *what, *text;
    double sqnr; // at least, in dB, with 8 bits everywhere
} product;

// y is the output; every MatMul, Gemm and Conv must become integer.
static const product products[] = {
    {"MatMul", "in x float32[3,16]\nrandom w float32[16,8] 1 1\ny = MatMul(x, w)\nout y", 35},
    {"MatMul and bias",
     "in x float32[3,16]\nrandom w float32[16,8] 1 1\nrandom b float32[8] 2 1\nm = MatMul(x, w)\n"
     "y = Add(b, m)\nout y",
     35},
    {"MatMul of rank 3 and bias",
     "in x float32[2,3,16]\nrandom w float32[16,8] 1 1\nrandom b float32[1,8] 2 1\n"
     "m = MatMul(x, w)\ny = Add(m, b)\nout y",
     35},
    {"stack of matrices", "in x float32[2,3,16]\nrandom w float32[2,16,8] 1 1\ny = MatMul(x, w)\nout y", 35},
    {"stack of one", "in x float32[3,16]\nrandom w float32[1,16,8] 1 1\ny = MatMul(x, w)\nout y", 35},
    {"two activations", "in a float32[2,3,16]\nin b float32[2,16,5]\ny = MatMul(a, b)\nout y", 35},
    {"an activation by itself", "in a float32[4,4]\ny = MatMul(a, a)\nout y", 35},
    {"constant on the left", "in x float32[16,4]\nrandom w float32[6,16] 3 1\ny = MatMul(w, x)\nout y", 35},
    {"vector by matrix", "in x float32[16]\nrandom w float32[16,8] 1 1\ny = MatMul(x, w)\nout y", 35},
    {"matrix by vector", "in x float32[3,16]\nrandom w float32[16] 1 1\ny = MatMul(x, w)\nout y", 35},
    {"Gemm",
     "in x float32[3,16]\nrandom w float32[16,8] 1 1\nrandom c float32[8] 2 1\ny = Gemm(x, w, c)\nout y", 35},
    {"Gemm without C", "in x float32[3,16]\nrandom w float32[16,8] 1 1\ny = Gemm(x, w)\nout y", 35},
    {"Gemm transB",
     "in x float32[3,16]\nrandom w float32[8,16] 1 1\nrandom c float32[8] 2 1\n"
     "y = Gemm(x, w, c) transB=1\nout y",
     35},
    {"Gemm transA",
     "in x float32[16,3]\nrandom w float32[16,8] 1 1\nrandom c float32[8] 2 1\n"
     "y = Gemm(x, w, c) transA=1\nout y",
     35},
    {"Gemm alpha beta",
     "in x float32[3,16]\nrandom w float32[16,8] 1 1\nrandom c float32[8] 2 1\n"
     "y = Gemm(x, w, c) alpha=-0.7 beta=0.3\nout y",
     35},
    {"Gemm beta 0",
     "in x float32[3,16]\nrandom w float32[16,8] 1 1\nrandom c float32[8] 2 9\n"
     "y = Gemm(x, w, c) beta=0.0\nout y",
     35},
    {"Gemm C scalar",
     "in x float32[3,16]\nrandom w float32[16,8] 1 1\nconst c float32[] 0.6\n"
     "y = Gemm(x, w, c) beta=2.0\nout y",
     35},
    {"Gemm C row",
     "in x float32[3,16]\nrandom w float32[16,8] 1 1\nrandom c float32[1,8] 2 1\ny = Gemm(x, w, c)\n"
     "out y",
     35},
    {"Gemm C column",
     "in x float32[3,16]\nrandom w float32[16,8] 1 1\nrandom c float32[3,1] 2 1\n"
     "y = Gemm(x, w, c) beta=0.5\nout y",
     35},
    {"Gemm C matrix",
     "in x float32[3,16]\nrandom w float32[16,8] 1 1\nrandom c float32[3,8] 2 1\n"
     "y = Gemm(x, w, c)\nout y",
     35},
    {"Gemm C computed",
     "in x float32[3,16]\nin z float32[3,8]\nrandom w float32[16,8] 1 1\nc = Tanh(z)\n"
     "y = Gemm(x, w, c) beta=0.5\nout y",
     35},
    {"Gemm of two activations",
     "in a float32[3,16]\nin b float32[8,16]\nin c float32[8]\n"
     "y = Gemm(a, b, c) transB=1 alpha=0.5 beta=2.0\nout y",
     35},
    {"Gemm constant on the left",
     "in b float32[16,4]\nrandom a float32[16,6] 5 1\ny = Gemm(a, b) transA=1 alpha=2.0\n"
     "out y",
     35},
    {"two layers",
     "in x float32[3,16]\nrandom w float32[16,8] 1 1\nrandom c float32[8] 2 1\n"
     "random v float32[8,4] 3 1\nh = Gemm(x, w, c)\nr = Relu(h)\ny = Gemm(r, v)\nout y",
     33},
    {"two MatMuls in integers",
     "in x float32[3,16]\nrandom w float32[16,8] 1 1\nrandom v float32[8,4] 3 1\n"
     "h = MatMul(x, w)\ny = MatMul(h, v)\nout y",
     33},
    {"Conv 2-D",
     "in x float32[1,3,6,6]\nrandom w float32[4,3,3,3] 1 1\nrandom b float32[4] 2 1\n"
     "y = Conv(x, w, b) pads=[1,1,1,1]\nout y",
     33},
    {"Conv without bias", "in x float32[1,3,6,6]\nrandom w float32[4,3,3,3] 1 1\ny = Conv(x, w)\nout y", 33},
    {"Conv 1-D",
     "in x float32[2,3,9]\nrandom w float32[4,3,3] 1 1\nrandom b float32[4] 2 1\n"
     "y = Conv(x, w, b) strides=[2]\nout y",
     33},
    {"Conv 3-D",
     "in x float32[1,2,4,4,4]\nrandom w float32[3,2,2,2,2] 1 1\nrandom b float32[3] 2 1\n"
     "y = Conv(x, w, b)\nout y",
     33},
    {"Conv grouped",
     "in x float32[1,4,6,6]\nrandom w float32[6,2,3,3] 1 1\nrandom b float32[6] 2 1\n"
     "y = Conv(x, w, b) group=2 dilations=[2,2]\nout y",
     33},
    {"Conv depthwise auto_pad",
     "in x float32[1,4,6,6]\nrandom w float32[4,1,3,3] 1 1\nrandom b float32[4] 2 1\n"
     "y = Conv(x, w, b) group=4 auto_pad=\"SAME_UPPER\"\nout y",
     33},
    {"Conv, Relu, Conv",
     "in x float32[1,3,6,6]\nrandom w float32[4,3,3,3] 1 1\nrandom b float32[4] 2 1\n"
     "random v float32[2,4,1,1] 3 1\nh = Conv(x, w, b)\nr = Relu(h)\ny = Conv(r, v)\nout y",
     30},
};

static void check(const product *p, const oq_quant_options *options, double margin) {
    test_pair pair;
    test_pair_quantize(&pair, options->group_size ? 21 : 13, p->text, options);
    const oq_plan_summary summary = oq_plan_summarize(pair.plan);
    ck_assert_msg(summary.nodes == summary.quantized, "%s: %zu of %zu", p->what, summary.quantized,
                  summary.nodes);
    const double sqnr = test_pair_sqnr(&pair);
    ck_assert_msg(sqnr >= p->sqnr - margin, "%s: %.1f dB", p->what, sqnr);
    ck_assert_msg(sqnr < 90, "%s: %.1f dB: nothing was quantized", p->what, sqnr);
    test_pair_release(&pair);
}

START_TEST(qoperator) {
    const oq_quant_options options = oq_quant_defaults();
    check(&products[_i], &options, 0);
}
END_TEST

START_TEST(qdq) {
    oq_quant_options options = oq_quant_defaults();
    options.format = OQ_FORMAT_QDQ;
    check(&products[_i], &options, 0);
}
END_TEST

// All types that the options allow; per-tensor weights and symmetric activations cost a little.
START_TEST(types) {
    for (int t = 0; t < 32; t++) {
        oq_quant_options options = oq_quant_defaults();
        options.format = t & 1 ? OQ_FORMAT_QDQ : OQ_FORMAT_QOPERATOR;
        options.per_channel = t & 2;
        options.weight_asymmetric = t & 4;
        options.activation_signed = t & 8;
        options.weight_signed = options.activation_signed || !(t & 16);
        check(&products[_i], &options, 5);
        options.activation_symmetric = true;
        check(&products[_i], &options, 11);
    }
}
END_TEST

// Weights in groups that do not divide the sums: as near as scales for whole channels, and near float at 12
// bits.
START_TEST(groups) {
    static const int bits[] = {8, 12};
    for (int i = 0; i < 2; i++)
        for (int asymmetric = 0; asymmetric < 2; asymmetric++) {
            oq_quant_options options = oq_quant_defaults();
            options.format = OQ_FORMAT_QDQ;
            options.group_size = 5;
            options.weight_bits = bits[i];
            options.weight_asymmetric = asymmetric;
            check(&products[_i], &options, asymmetric ? 3 : 1);
        }
}
END_TEST

int main(void) {
    const int count = (int)(sizeof products / sizeof *products);
    Suite *suite = suite_create("products");
    TCase *tcase = tcase_create("products");
    tcase_add_loop_test(tcase, qoperator, 0, count);
    tcase_add_loop_test(tcase, qdq, 0, count);
    tcase_add_loop_test(tcase, types, 0, count);
    tcase_add_loop_test(tcase, groups, 0, count);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
