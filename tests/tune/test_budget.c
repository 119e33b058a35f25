// Laws of budgets: what is asked for is held by the emitted model, no layer is spared in vain, and threads
// change no bit.
#include "support/calibrated.h"
#include "support/support.h"
#include "tune/budget.h"
#include "tune/samples.h"
#include "verify/verify.h"

#include <math.h>

// Per tensor, the second product is the bad one: one column of its weight is a thousand times the others.
static const char *const network = "in x float32[1,16]\n"
                                   "random w1 float32[16,16] 7 0.5\n"
                                   "random w2 float32[16,16] 9 0.5\n"
                                   "random c2 float32[16,1] 15 500\n"
                                   "random w3 float32[17,5] 13 0.1\n"
                                   "a = MatMul(x, w1)\n"
                                   "r = Tanh(a)\n"
                                   "w = Concat(w2, c2) axis=1\n"
                                   "b = MatMul(r, w)\n"
                                   "t = Tanh(b)\n"
                                   "y = MatMul(t, w3)\n"
                                   "out y\n";

typedef struct setting {
    test_calibrated on;
    oq_quantization q;
    oq_plan *plan;
    oq_correction correction;
    oq_budget found;
} setting;

static void meet_in(setting *s, oq_format format, bool never_wide, oq_metric metric, double value,
                    size_t threads) {
    oq_error err = {0};
    oq_pool *pool = NULL;
    oq_quant_options options = oq_quant_defaults();
    options.per_channel = false;
    options.format = format;
    *s = (setting){0};
    test_calibrated_init(&s->on, network);
    CK_OK(oq_quantization_begin(&s->q, s->on.model, s->on.stats, &options, &err), &err);
    if (threads > 1) CK_OK(oq_pool_new(&s->on.mem, threads, &pool, &err), &err);
    const oq_budget_options asked = {
        .metric = metric, .value = value, .never_wide = never_wide, .tuning = {.biases = true}, .pool = pool};
    CK_OK(oq_budget_meet(&s->q, s->on.data, &asked, &s->plan, &s->correction, &s->found, &err), &err);
    oq_pool_free(pool);
}

static void meet(setting *s, oq_metric metric, double value, size_t threads) {
    meet_in(s, OQ_FORMAT_QOPERATOR, false, metric, value, threads);
}

static void release(setting *s) {
    oq_plan_free(s->plan);
    oq_budget_release(&s->found);
    oq_quantization_release(&s->q);
    test_calibrated_release(&s->on);
}

// SQNR of the plan as a model, on the samples that are held out.
static double sqnr_held_out(setting *s) {
    oq_error err = {0};
    oq_model *clone;
    oq_verify_result r;
    const oq_verify_options options = {.first = OQ_HOLD_OUT_EVERY - 1, .stride = OQ_HOLD_OUT_EVERY};
    CK_OK(oq_model_clone(s->on.model, &clone, &err), &err);
    CK_OK(oq_quantization_emit(&s->q, s->plan, clone->graph, NULL, &err), &err);
    CK_OK(oq_verify(s->on.model->graph, clone->graph, s->on.data, &options, &r, &err), &err);
    const double sqnr = oq_difference_sqnr(&r.outputs[0].all);
    oq_verify_release(&r);
    oq_model_free(clone);
    return sqnr;
}

START_TEST(a_budget_that_holds_reverts_nothing) {
    setting s;
    meet(&s, OQ_METRIC_SQNR, -20, 1);
    ck_assert(s.found.met && s.found.plans == 1 && s.found.reverted_count == 0);
    ck_assert(s.found.before == s.found.after);
    ck_assert_uint_eq(s.found.samples, 6);
    ck_assert_uint_eq(oq_plan_summarize(s.plan).quantized, 3);
    release(&s);
}
END_TEST

START_TEST(the_bad_layer_alone_is_reverted) {
    setting s;
    meet(&s, OQ_METRIC_SQNR, 30, 1);
    ck_assert_msg(s.found.met && s.found.before < 25 && s.found.after >= 30, "%g -> %g", s.found.before,
                  s.found.after);
    ck_assert(s.found.after == sqnr_held_out(&s));
    ck_assert_uint_eq(s.found.reverted_count, 1);
    ck_assert_int_eq(s.found.reverted[0].node, test_producer(s.on.model, "b")->id);
    const oq_node_plan *fate = oq_plan_node(s.plan, s.found.reverted[0].node);
    ck_assert_int_eq(fate->fate, OQ_FATE_FLOAT);
    ck_assert_str_eq(fate->reason, "reverted to hold sqnr=30");
    ck_assert_uint_eq(oq_plan_summarize(s.plan).quantized, 2);
    release(&s);
}
END_TEST

START_TEST(in_qdq_the_bad_layer_gets_16_bits) {
    oq_error err = {0};
    setting s;
    meet_in(&s, OQ_FORMAT_QDQ, false, OQ_METRIC_SQNR, 30, 1);
    ck_assert(s.found.met && s.found.wide && s.found.after >= 30);
    ck_assert(s.found.after == sqnr_held_out(&s));
    ck_assert_uint_eq(s.found.reverted_count, 1);
    ck_assert_int_eq(s.found.reverted[0].node, test_producer(s.on.model, "b")->id);
    ck_assert_uint_eq(oq_plan_summarize(s.plan).quantized, 3);
    CK_OK(oq_quantization_emit(&s.q, s.plan, s.on.model->graph, NULL, &err), &err);
    ck_assert_int_eq(oq_model_opset(s.on.model, ""), 21);
    release(&s);
}
END_TEST

START_TEST(float_at_once_where_that_is_asked) {
    setting s;
    meet_in(&s, OQ_FORMAT_QDQ, true, OQ_METRIC_SQNR, 30, 1);
    ck_assert(s.found.met && !s.found.wide && s.found.reverted_count == 1);
    ck_assert_uint_eq(oq_plan_summarize(s.plan).quantized, 2);
    release(&s);
}
END_TEST

START_TEST(what_cannot_be_held_gives_the_best_found) {
    setting s;
    meet(&s, OQ_METRIC_SQNR, 500, 1);
    ck_assert(!s.found.met && s.found.after > s.found.before);
    ck_assert(s.found.after == sqnr_held_out(&s));
    ck_assert_uint_ge(oq_plan_summarize(s.plan).quantized, 1);
    release(&s);
}
END_TEST

START_TEST(each_metric_is_measured) {
    setting s;
    meet(&s, OQ_METRIC_COSINE, 0.9999, 1);
    ck_assert(s.found.met && s.found.after >= 0.9999 && s.found.before < 0.9999);
    release(&s);
    meet(&s, OQ_METRIC_AGREEMENT, 1, 1);
    ck_assert(s.found.met && s.found.after == 1);
    release(&s);
}
END_TEST

START_TEST(threads_change_no_bit) {
    setting one, many;
    meet(&one, OQ_METRIC_SQNR, 45, 1);
    meet(&many, OQ_METRIC_SQNR, 45, 3);
    ck_assert(one.found.after == many.found.after && one.found.plans == many.found.plans);
    ck_assert_uint_eq(one.found.reverted_count, many.found.reverted_count);
    for (size_t i = 0; i < one.found.reverted_count; i++)
        ck_assert_int_eq(one.found.reverted[i].node, many.found.reverted[i].node);
    release(&one);
    release(&many);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("budget");
    TCase *tcase = tcase_create("laws");
    tcase_add_test(tcase, a_budget_that_holds_reverts_nothing);
    tcase_add_test(tcase, the_bad_layer_alone_is_reverted);
    tcase_add_test(tcase, in_qdq_the_bad_layer_gets_16_bits);
    tcase_add_test(tcase, float_at_once_where_that_is_asked);
    tcase_add_test(tcase, what_cannot_be_held_gives_the_best_found);
    tcase_add_test(tcase, each_metric_is_measured);
    tcase_add_test(tcase, threads_change_no_bit);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
