// What the judge looks at, and when it prefers one plan to another.
#include "support/quantized.h"
#include "support/support.h"
#include "tune/judge.h"

#include <math.h>
#include <stdio.h>

static test_pair pair;
static oq_dataset *data;
static oq_judge judge;
static oq_error err;

static void begin(const char *text, size_t samples) {
    test_pair_init(&pair, 13, text);
    CK_OK(oq_dataset_synthetic(&pair.mem, pair.original->graph, samples, 3, &data, &err), &err);
    CK_OK(oq_judge_begin(&judge, pair.model, data, 6, NULL, &err), &err);
}

static void end(void) {
    oq_judge_end(&judge);
    oq_dataset_free(data);
    test_pair_release(&pair);
}

static bool prefers(const double *after, const double *before, size_t count) {
    const oq_judge of = {.count = count, .held_out = true};
    return oq_judge_prefers(&of, &(oq_verdict){.noise = (double *)(uintptr_t)after},
                            &(oq_verdict){.noise = (double *)(uintptr_t)before});
}

// In the mean of log ratios and in sum together.
START_TEST(the_better_is_preferred) {
    const double before[4] = {1, 2, 3, 4}, less[4] = {.5, 1.1, 1.4, 2.1}, more[4] = {.5, 2.8, 4.4, 3.9},
                 luck[4] = {1.1, 2.1, 3.2, .5}, tail[4] = {.5, 1, 1.5, 40}, none[4] = {0},
                 broken[4] = {.5, 1, (double)NAN, 2};
    ck_assert(prefers(less, before, 4));
    ck_assert(!prefers(before, before, 4));
    ck_assert(!prefers(before, less, 4));
    ck_assert(!prefers(more, before, 4)); // better in the mean of logs, worse in sum by more
    ck_assert(prefers(luck, before, 4));  // hardly worse in three samples, far better in one
    ck_assert(!prefers(tail, before, 4)); // better but for one that is far worse
    ck_assert(!prefers(broken, before, 4));
    ck_assert(prefers(none, before, 4));
    ck_assert(!prefers(none, none, 4));
    ck_assert(prefers(less, before, 1));
}
END_TEST

START_TEST(logits_are_looked_at) {
    static const char *const tails[] = {
        "y = Softmax(m)\n", "s = Softmax(m)\ny = Identity(s)\n", "y = Sigmoid(m)\n",
        "const a int64[1] 1\nh = ReduceMax(m) axes=[1]\nl = Sub(m, h)\ne = Exp(l)\n"
        "s = ReduceSum(e, a)\ny = Div(e, s)\n",
        "y = Tanh(m)\n"};
    char text[400];
    snprintf(text, sizeof text, "in x float32[2,3]\nrandom w float32[3,4] 1 1\nm = MatMul(x, w)\n%sout y\n",
             tails[_i]);
    begin(text, 8);
    ck_assert_uint_eq(judge.output_count, 1);
    ck_assert_int_eq(judge.outputs[0], test_value(pair.model, _i < 4 ? "m" : "y"));
    ck_assert_uint_eq(judge.count, 2);
    ck_assert(judge.samples[0] == 3 && judge.samples[1] == 7); // those that are held out
    end();
}
END_TEST

// An output and its top class are one thing to look at.
START_TEST(what_is_behind_several_outputs_counts_once) {
    begin("in x float32[2,3]\nrandom w float32[3,4] 1 1\nm = MatMul(x, w)\ny = ArgMax(m) axis=1\nout m y\n",
          50);
    ck_assert_uint_eq(judge.output_count, 1);
    ck_assert_uint_eq(judge.count, 6);
    ck_assert_uint_lt(judge.samples[5], 48);
    ck_assert_uint_gt(judge.samples[5], 36); // spread over all
    end();
}
END_TEST

// Two logits tell little of a sample: the features that they are made of are looked at, too.
START_TEST(features_are_looked_at_beside_few_logits) {
    begin(_i ? "in x float32[2,3]\nrandom w float32[3,4] 1 1\nrandom v float32[4,2] 1 2\n"
               "random b float32[2] 1 3\nf = MatMul(x, w)\nm = MatMul(f, v)\na = Add(m, b)\n"
               "y = Softmax(a)\nout y\n"
             : "in x float32[2,3]\nrandom w float32[3,4] 1 1\nrandom v float32[4,99] 1 2\n"
               "f = MatMul(x, w)\na = Gemm(f, v)\ny = Softmax(a)\nout y\n",
          8);
    ck_assert_uint_eq(judge.output_count, 1 + (size_t)_i);
    ck_assert_int_eq(judge.outputs[0], test_value(pair.model, "a"));
    if (_i) ck_assert_int_eq(judge.outputs[1], test_value(pair.model, "f"));
    end();
}
END_TEST

// Boxes in pixels beside scores: each counts by its own power, the scores before their Sigmoid.
START_TEST(parts_of_a_concat_are_looked_at) {
    begin("in x float32[2,3]\nrandom w float32[3,4] 1 1\nrandom v float32[3,4] 1 2\nb = MatMul(x, w)\n"
          "m = MatMul(x, v)\ns = Sigmoid(m)\nc = Concat(b, s) axis=1\ny = Identity(c)\nout y\n",
          8);
    ck_assert_uint_eq(judge.output_count, 2);
    ck_assert_int_eq(judge.outputs[0], test_value(pair.model, "b"));
    ck_assert_int_eq(judge.outputs[1], test_value(pair.model, "m"));
    end();
}
END_TEST

// Also where nothing reads such a part as floats.
START_TEST(parts_on_integers_are_judged) {
    oq_verdict verdict;
    oq_quant_options options = oq_quant_defaults();
    begin("in x float32[1,2,4,4]\nrandom w float32[3,2,1,1] 1 1\nrandom v float32[2,2,1,1] 1 2\n"
          "b = Conv(x, w)\nm = Conv(x, v)\ny = Concat(b, m) axis=1\nout y\n",
          8);
    static const char *const values[] = {"x", "b", "m", "y"};
    for (size_t i = 0; i < 4; i++) test_pair_range(&pair, values[i], -4, 4);
    test_pair_plan(&pair, &options);
    ck_assert_uint_eq(judge.output_count, 2);
    CK_OK(oq_judge_plan(&judge, pair.plan, &verdict, &err), &err);
    ck_assert_msg(verdict.sqnr > 30 && verdict.sqnr < 60, "%g dB", verdict.sqnr);
    oq_verdict_release(&judge, &verdict);
    end();
}
END_TEST

START_TEST(a_plan_is_judged_as_it_is_emitted) {
    oq_verdict verdict;
    oq_quant_options options = oq_quant_defaults();
    begin("in x float32[2,3]\nrandom w float32[3,4] 1 1\nm = MatMul(x, w)\nout m\n", 8);
    test_pair_range(&pair, "x", -4, 4);
    test_pair_range(&pair, "m", -8, 8);
    test_pair_plan(&pair, &options);
    CK_OK(oq_judge_plan(&judge, pair.plan, &verdict, &err), &err);
    ck_assert_msg(verdict.sqnr > 30 && verdict.sqnr < 60, "%g dB", verdict.sqnr);
    ck_assert(verdict.noise[0] > 0 && verdict.noise[1] > 0);
    ck_assert(fabs(-10 * log10((verdict.noise[0] + verdict.noise[1]) / 2) - verdict.sqnr) < 1e-9);
    oq_verdict_release(&judge, &verdict);
    end();
}
END_TEST

int main(void) {
    Suite *suite = suite_create("tune/judge");
    TCase *cases = tcase_create("cases");
    tcase_add_test(cases, the_better_is_preferred);
    tcase_add_loop_test(cases, logits_are_looked_at, 0, 5);
    tcase_add_test(cases, what_is_behind_several_outputs_counts_once);
    tcase_add_loop_test(cases, features_are_looked_at_beside_few_logits, 0, 2);
    tcase_add_test(cases, parts_of_a_concat_are_looked_at);
    tcase_add_test(cases, parts_on_integers_are_judged);
    tcase_add_test(cases, a_plan_is_judged_as_it_is_emitted);
    suite_add_tcase(suite, cases);
    return test_main(suite);
}
