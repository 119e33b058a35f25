// Bytes of layers' weights before and after, as the plan tells them once it is written.
#include "support/quantized.h"
#include "support/support.h"

#include <string.h>

#define MATRIX "in x float32[2,512]\nrandom w float32[512,256] 3 0.4\ny = MatMul(x, w)\nout y\n"
#define CONVOLUTION                                                                                          \
    "in x float32[1,64,3,3]\nrandom w float32[64,64,3,3] 3 0.4\ny = Conv(x, w) pads=[1,1,1,1]\nout y\n"

static const struct {
    const char *name;
    oq_mode mode;
    oq_format format;
    int bits;
    int64_t group;
    double most; // share of the float bytes
} settings[] = {
    {"qdq, 8 bits", OQ_MODE_STATIC, OQ_FORMAT_QDQ, 8, 0, 0.26},
    {"qoperator, 8 bits", OQ_MODE_STATIC, OQ_FORMAT_QOPERATOR, 8, 0, 0.26},
    {"dynamic, 8 bits", OQ_MODE_DYNAMIC, OQ_FORMAT_QOPERATOR, 8, 0, 0.26},
    {"qdq, 4 bits", OQ_MODE_STATIC, OQ_FORMAT_QDQ, 4, 0, 0.14},
    {"qdq, 4 bits in groups", OQ_MODE_STATIC, OQ_FORMAT_QDQ, 4, 32, 0.17},
    {"dynamic, 4 bits", OQ_MODE_DYNAMIC, OQ_FORMAT_QOPERATOR, 4, 0, 0.14},
    {"qdq, 2 bits", OQ_MODE_STATIC, OQ_FORMAT_QDQ, 2, 0, 0.08},
    {"dynamic, 2 bits", OQ_MODE_DYNAMIC, OQ_FORMAT_QOPERATOR, 2, 0, 0.08},
};
static const char *const every_operator[] = {"MatMul", "Gemm", "Conv"};

static oq_quant_options options_of(int setting) {
    oq_quant_options options = oq_quant_defaults();
    options.mode = settings[setting].mode;
    options.format = settings[setting].format;
    options.weight_bits = settings[setting].bits;
    options.group_size = settings[setting].group;
    options.op_types = every_operator;
    options.op_type_count = 3;
    return options;
}

// Of all constants that the file holds.
static uint64_t constant_bytes(oq_graph *graph) {
    uint64_t bytes = 0;
    for (size_t v = 0; v < graph->value_count; v++) {
        const oq_constant *constant = oq_graph_constant(graph, (oq_value_id)v);
        if (constant && oq_graph_value(graph, (oq_value_id)v)->use_count)
            bytes += oq_constant_bytes(constant);
    }
    return bytes;
}

START_TEST(weights_shrink_as_their_bits_do) {
    static const char *const graphs[] = {MATRIX, CONVOLUTION};
    static const double elements[] = {512 * 256, 64 * 64 * 9};
    for (int g = 0; g < 2; g++) {
        test_pair pair;
        const oq_quant_options options = options_of(_i);
        const bool dynamic = options.mode == OQ_MODE_DYNAMIC;
        test_pair_quantize(&pair, 25, graphs[g], &options);
        const oq_weight_bytes bytes = test_fate(&pair, "y")->weights;
        ck_assert_uint_eq(bytes.before, (uint64_t)(4 * elements[g]));
        ck_assert_msg((double)bytes.after <= settings[_i].most * (double)bytes.before, "%s: %llu of %llu",
                      settings[_i].name, (unsigned long long)bytes.after, (unsigned long long)bytes.before);
        ck_assert((double)bytes.after >= elements[g] * settings[_i].bits / 8);
        const uint64_t all = constant_bytes(pair.model->graph);
        ck_assert(dynamic ? bytes.after == all : bytes.after < all);
        test_pair_release(&pair);
    }
}
END_TEST

// Sums over layers tell what the file holds.
START_TEST(shared_weights_count_once) {
    test_pair pair;
    const oq_quant_options options = options_of(_i);
    test_pair_quantize(&pair, 25,
                       "in x float32[2,512]\nrandom w float32[512,512] 3 0.4\nt = MatMul(x, w)\n"
                       "u = Relu(t)\ny = MatMul(u, w)\nout y\n",
                       &options);
    const oq_node_plan *first = test_fate(&pair, "t"), *second = test_fate(&pair, "y");
    ck_assert_int_eq(first->fate, OQ_FATE_QUANTIZED);
    ck_assert_uint_eq(first->weights.after, second->weights.after);
    ck_assert_uint_eq(first->counted.after, first->weights.after);
    ck_assert_uint_eq(first->counted.before, 4 * 512 * 512);
    ck_assert_uint_eq(second->counted.before, 0);
    ck_assert_uint_eq(second->counted.after, 0);
    test_pair_release(&pair);
}
END_TEST

START_TEST(layers_left_float_have_no_sizes) {
    test_pair pair;
    oq_quant_options options = options_of(0);
    options.exclude = (const char *const[]){"op:MatMul"};
    options.exclude_count = 1;
    test_pair_quantize(&pair, 13, MATRIX, &options);
    ck_assert_uint_eq(test_fate(&pair, "y")->weights.before, 0);
    test_pair_release(&pair);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("sizes");
    TCase *c = tcase_create("sizes");
    const int count = sizeof settings / sizeof *settings;
    tcase_add_loop_test(c, weights_shrink_as_their_bits_do, 0, count);
    tcase_add_loop_test(c, shared_weights_count_once, 0, count);
    tcase_add_test(c, layers_left_float_have_no_sizes);
    suite_add_tcase(suite, c);
    return test_main(suite);
}
