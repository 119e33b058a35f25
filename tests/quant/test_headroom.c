// Ranges that reach beyond the samples, at the end of a model.
#include "support/quantized.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>

static test_pair pair;
static oq_quant_options options;

static void setup(void) { options = oq_quant_defaults(); }

static void plan(const char *text, float low, float high) {
    test_pair_init(&pair, 13, text);
    test_pair_range(&pair, "x", -1, 1);
    static const char *const values[] = {"h", "g", "a", "y"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) test_pair_range(&pair, values[i], low, high);
    test_pair_plan(&pair, &options);
}

static oq_range covered(const char *value) {
    const oq_tensor_plan *tensor = test_tensor_plan(&pair, value);
    const double scale = (double)tensor->made.scale, zero = tensor->made.zero_point;
    return (oq_range){(tensor->grid.qmin - zero) * scale, (tensor->grid.qmax - zero) * scale};
}

#define CONV "in x float32[1,2,4,4]\nrandom w float32[4,2,1,1] 1 1\nh = Conv(x, w)\n"

static void check(const char *tail, float low, float high, double least, double greatest) {
    char text[1024];
    snprintf(text, sizeof text, CONV "%s", tail);
    plan(text, low, high);
    const oq_range range = covered("h");
    const double step = (greatest - least) / 255;
    ck_assert_msg(fabs(range.min - least) < 2 * step && fabs(range.max - greatest) < 2 * step,
                  "%s: %g..%g, not %g..%g", tail, range.min, range.max, least, greatest);
    test_pair_release(&pair);
}

START_TEST(an_eighth_more_at_the_end) {
    check("out h", -8, 8, -10, 10);
    check("y = Tanh(h)\nout y", -8, 8, -10, 10);
    check("const s int64[2] 1 -1\ny = Reshape(h, s)\nout y", -8, 8, -10, 10);
}
END_TEST

// No further than the readers tell values apart.
START_TEST(not_where_all_is_the_same) {
    check("y = HardSigmoid(h) alpha=0.2 beta=0.5\nout y", -8, 8, -2.5, 2.5);
}
END_TEST

START_TEST(scores_may_be_higher_than_any_seen) {
    check("y = Sigmoid(h)\nout y", -16, -2, -17.75, 4);
    check("b = Concat(h, h) axis=1\ny = Sigmoid(b)\nout y", -16, -2, -17.75, 4);
}
END_TEST

// What another layer reads, even behind a function, is as the method says.
START_TEST(not_in_front_of_a_layer) {
    check("random v float32[2,4,1,1] 1 1\ny = Conv(h, v)\nout y", -8, 8, -8, 8);
    check("random v float32[2,4,1,1] 1 1\na = Tanh(h)\ny = Conv(a, v)\nout y", -8, 8, -8, 8);
    check("random v float32[2,4,1,1] 1 1\ng = Sigmoid(h)\na = Mul(h, g)\ny = Conv(a, v)\nout y", -8, 8, -8,
          8);
}
END_TEST

// Somebody who asks for a method gets that, and ranges by hand are taken as they are.
START_TEST(not_when_asked_otherwise) {
    options.method = OQ_RANGE_MINMAX;
    check("out h", -8, 8, -8, 8);
    options.method = OQ_RANGE_AUTO;
    test_pair_init(&pair, 13, CONV "out h");
    pair.stats->given = true;
    test_pair_range(&pair, "x", -1, 1);
    test_pair_range(&pair, "h", -8, 8);
    test_pair_plan(&pair, &options);
    ck_assert_double_lt(covered("h").max, 8.1);
    test_pair_release(&pair);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("quant/headroom");
    TCase *cases = tcase_create("cases");
    tcase_add_checked_fixture(cases, setup, NULL);
    tcase_add_test(cases, an_eighth_more_at_the_end);
    tcase_add_test(cases, not_where_all_is_the_same);
    tcase_add_test(cases, scores_may_be_higher_than_any_seen);
    tcase_add_test(cases, not_in_front_of_a_layer);
    tcase_add_test(cases, not_when_asked_otherwise);
    suite_add_tcase(suite, cases);
    return test_main(suite);
}
