// Ranges that follow from the model: no value that is computed leaves them, and they are as narrow as can be
// told.
#include "quant/bounds.h"
#include "support/quantized.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static test_pair pair;

// Inputs lie within [-1, 1] where `bounded`.
static oq_bound *bounds_of(const char *text, bool bounded) {
    oq_error err = {0};
    test_pair_init(&pair, 17, text);
    oq_graph *graph = pair.original->graph;
    for (size_t i = 0; i < graph->input_count; i++) {
        oq_gvalue *input = oq_graph_value(graph, graph->inputs[i]);
        input->bounded = bounded, input->low = -1, input->high = 1;
    }
    oq_bound *bounds = oq_mem_calloc(&pair.mem, graph->value_count + 1, sizeof *bounds, &err);
    CK_OK(oq_graph_bounds(graph, bounds, &err), &err);
    return bounds;
}

static const struct {
    const char *name, *text; // of the value y
    double low, high;
    bool sharp;
} cases[] = {
    {"sigmoid", "y = Sigmoid(x)", .268941, .731059, true},
    {"tanh and exp", "a = Tanh(x)\ny = Exp(a)", .466895, 2.141794, true},
    {"abs, neg", "a = Abs(x)\ny = Neg(a)", -1, 0, true},
    {"leaky", "y = LeakyRelu(x) alpha=0.1", -.1, 1, true},
    {"hard sigmoid", "y = HardSigmoid(x) alpha=0.25 beta=0.5", .25, .75, true},
    {"elu", "y = Elu(x) alpha=0.5", -.5, 1, true},
    {"hard swish", "y = HardSwish(x)", -.375, 1, true},
    {"silu", "g = Sigmoid(x)\ny = Mul(x, g)", -.27847, 1, true},
    {"softmax of sums", "a = MatMul(x, w)\ny = Softmax(a)", 0, 1, true},
    {"a sum", "y = MatMul(x, w)", -6, 6, false},
    {"a convolution", "y = Conv(v, k, kb)", -8, 12, false},
    {"with padding", "s = Sigmoid(v)\ny = Conv(s, p) pads=[1,1,1,1]", 0, 6.579530, false},
    {"gemm", "y = Gemm(x, w, c) alpha=0.5 beta=2.0", -1, 5, false},
    {"the same square", "y = Mul(x, x)", 0, 1, true},
    {"products and quotients", "a = Mul(x, two)\nb = Add(a, three)\ny = Div(x, b)", -1, 1, true},
    {"an unknown quotient", "y = Div(two, x)", -INFINITY, INFINITY, true},
    {"least, greatest, either", "a = Min(x, two)\nb = Max(a, two)\nt = Greater(x, b)\ny = Where(t, b, three)",
     2, 3, true},
    {"side by side", "s = Sigmoid(x)\nq = Relu(x)\ny = Concat(s, q) axis=0", 0, 1, true},
    {"moved, padded, averaged",
     "const pads int64[4] 0 0 0 1\nconst nine float32[] 9\na = Pad(x, pads, nine)\n"
     "y = ReduceMean(a) axes=[1]",
     -1, 9, true},
    {"added up", "y = ReduceSum(x)", -12, 12, false},
    {"clip", "const six float32[] 6\nconst zero float32[] 0\na = MatMul(x, w)\ny = Clip(a, zero, six)", 0, 6,
     true},
    {"layer normalization", "const g float32[4] 2\nconst b float32[4] 1\ny = LayerNormalization(x, g, b)",
     1 - 2 * 1.7320508, 1 + 2 * 1.7320508, false},
    {"batch normalization",
     "const g float32[3] 2 1 1\nconst b float32[3] 1\nconst m float32[3] 0 0 5\n"
     "const e float32[3] 4 1 1\ny = BatchNormalization(v, g, b, m, e) epsilon=0.0",
     -5, 2, true},
    {"one hot",
     "const depth int64[] 5\nconst which int64[2] 1 3\nconst values float32[2] 0 1\n"
     "h = OneHot(which, depth, values)\ny = Mul(h, h)",
     0, 1, true},
    {"a table", "const table float32[3,2] -1 2 0 3 1 2\nconst rows int64[2] 0 2\ny = Gather(table, rows)", -1,
     3, true},
    {"a comparison", "t = Greater(x, two)\ny = Cast(t) to=1", 0, 1, true},
    {"bytes", "const q uint8[2] 3 7\ni = Cast(x) to=2\ny = Cast(i) to=1", 0, 255, true},
    {"not known", "y = Acosh(x)", -INFINITY, INFINITY, true},
};

#define INPUTS                                                                                               \
    "in x float32[3,4]\nin v float32[1,3,4,4]\nconst w float32[4,2] 1 -2 1 2 1 -1 1 1\n"                     \
    "const k float32[1,3,1,2] 1 -1 2 -2 2 -2\nconst kb float32[1] 2\nconst p float32[1,3,3,3] .333333333\n"  \
    "const c float32[2] 1\nconst two float32[] 2\nconst three float32[] 3\n"

START_TEST(as_narrow_as_can_be_told) {
    char text[2048];
    snprintf(text, sizeof text, INPUTS "%s\nout y x v\n", cases[_i].text);
    oq_bound *bounds = bounds_of(text, true);
    const oq_bound y = bounds[test_value(pair.original, "y")];
    const char *name = cases[_i].name;
    const double least = fabs(cases[_i].low) * 1e-4 + 1e-4, most = fabs(cases[_i].high) * 1e-4 + 1e-4;
    ck_assert_msg(y.range.min == cases[_i].low || fabs(y.range.min - cases[_i].low) < least, "%s: from %g",
                  name, y.range.min);
    ck_assert_msg(y.range.max == cases[_i].high || fabs(y.range.max - cases[_i].high) < most, "%s: to %g",
                  name, y.range.max);
    ck_assert_msg(y.sharp == cases[_i].sharp, "%s: sharp %d", name, y.sharp);
    test_pair_calibrate(&pair);
    const oq_graph *graph = pair.original->graph;
    for (size_t v = 0; v < graph->value_count; v++) {
        const char *value = oq_graph_value(graph, (oq_value_id)v)->name;
        const oq_tensor_stats *seen = oq_stats_find(pair.stats, value);
        if (!seen || !(seen->min <= seen->max)) continue;
        ck_assert_msg((double)seen->min >= bounds[v].range.min && (double)seen->max <= bounds[v].range.max,
                      "%s: '%s' has %g to %g, beyond %g to %g", name, value, (double)seen->min,
                      (double)seen->max, bounds[v].range.min, bounds[v].range.max);
    }
    oq_mem_free(&pair.mem, bounds);
    test_pair_release(&pair);
}
END_TEST

START_TEST(without_ranges_of_inputs) {
    oq_bound *bounds =
        bounds_of("in x float32[3,4]\na = Relu(x)\nb = Sigmoid(a)\nc = Add(b, a)\nout c\n", false);
    ck_assert_double_eq(bounds[test_value(pair.original, "a")].range.min, 0);
    ck_assert(isinf(bounds[test_value(pair.original, "a")].range.max));
    ck_assert_double_eq_tol(bounds[test_value(pair.original, "b")].range.min, .5, 1e-5);
    ck_assert_double_eq(bounds[test_value(pair.original, "b")].range.max, 1);
    ck_assert(isinf(bounds[test_value(pair.original, "c")].range.max));
    oq_mem_free(&pair.mem, bounds);
    test_pair_release(&pair);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("quant bounds");
    TCase *tcase = tcase_create("bounds");
    tcase_add_loop_test(tcase, as_narrow_as_can_be_told, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(tcase, without_ranges_of_inputs);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
