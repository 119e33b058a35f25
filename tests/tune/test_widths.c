// Laws of budgets of size: a target that is there already changes nothing, one that is met is met by the
// model as written, what can be spared is spared where it costs least, and threads change no choice.
#include "onnx/onnx.h"
#include "support/calibrated.h"
#include "support/support.h"
#include "tune/widths.h"

#include <math.h>

// Four layers of 4096 weights; the last one's input is small beside what is added to its result, so that its
// width hardly matters.
static const char *const network = "in x float32[1,64]\n"
                                   "random w1 float32[64,64] 7 0.3\n"
                                   "random w2 float32[64,64] 9 0.3\n"
                                   "random w3 float32[64,64] 11 0.3\n"
                                   "random w4 float32[64,64] 13 0.0003\n"
                                   "a = MatMul(x, w1)\n"
                                   "r = Relu(a)\n"
                                   "b = MatMul(r, w2)\n"
                                   "t = Relu(b)\n"
                                   "c = MatMul(t, w3)\n"
                                   "d = MatMul(t, w4)\n"
                                   "y = Add(c, d)\n"
                                   "out y\n";

typedef struct setting {
    test_calibrated on;
    oq_quant_options quant;
    oq_widths found;
} setting;

static void choose(setting *s, oq_format format, oq_size_goal goal, double most, size_t threads) {
    oq_error err = {0};
    oq_pool *pool = NULL;
    *s = (setting){.quant = oq_quant_defaults()};
    s->quant.format = format;
    test_calibrated_init(&s->on, network);
    if (threads > 1) CK_OK(oq_pool_new(&s->on.mem, threads, &pool, &err), &err);
    const oq_widths_source source = {s->on.model, s->on.stats, s->on.data, &s->quant};
    const oq_widths_options options = {.goal = goal, .most = most, .pool = pool};
    CK_OK(oq_widths_choose(&source, &options, &s->found, &err), &err);
    ck_assert_uint_eq(s->found.count, 4);
    oq_pool_free(pool);
}

static void release(setting *s) {
    oq_widths_release(&s->found);
    test_calibrated_release(&s->on);
}

// Bytes of the model that the chosen widths give.
static double bytes_of(setting *s) {
    oq_error err = {0};
    oq_quantization q;
    oq_model *clone;
    oq_plan *plan;
    uint64_t bytes;
    oq_quant_options quant = s->quant;
    quant.overrides = s->found.overrides;
    quant.override_count = s->found.override_count;
    CK_OK(oq_model_clone(s->on.model, &clone, &err), &err);
    CK_OK(oq_quantization_begin(&q, clone, s->on.stats, &quant, &err), &err);
    CK_OK(oq_quantization_plan(&q, NULL, NULL, &plan, NULL, &err), &err);
    CK_OK(oq_quantization_emit(&q, plan, clone->graph, NULL, &err), &err);
    CK_OK(oq_onnx_size(clone, &bytes, &err), &err);
    oq_plan_free(plan);
    oq_quantization_release(&q);
    oq_model_free(clone);
    return (double)bytes;
}

START_TEST(what_is_met_already_changes_nothing) {
    setting s;
    choose(&s, OQ_FORMAT_QDQ, OQ_GOAL_BYTES, 1e6, 1);
    ck_assert(s.found.met && s.found.bits == 8 && s.found.override_count == 0);
    ck_assert(s.found.reached == bytes_of(&s));
    release(&s);
    choose(&s, OQ_FORMAT_QOPERATOR, OQ_GOAL_BITS, 8, 1);
    ck_assert(s.found.met && s.found.reached == 8 && s.found.override_count == 0);
    release(&s);
}
END_TEST

// Room for one layer less than all at 8 bits: the layer that matters least gives it.
START_TEST(bits_are_saved_where_they_cost_least) {
    setting s;
    choose(&s, OQ_FORMAT_QDQ, OQ_GOAL_BITS, 7, 1);
    ck_assert(s.found.met && s.found.bits <= 7);
    for (size_t l = 0; l < 3; l++) ck_assert_int_eq(s.found.layers[l].bits, 8);
    ck_assert_int_eq(s.found.layers[3].bits, 4);
    ck_assert(s.found.layers[3].loss >= s.found.layers[3].full);
    release(&s);
}
END_TEST

// All layers alike: the mean that one width has can be had by it, and is not missed by rounding.
START_TEST(no_choice_loses_more_than_one_width_for_all) {
    setting s, four;
    choose(&s, OQ_FORMAT_QDQ, OQ_GOAL_BITS, 4, 1);
    choose(&four, OQ_FORMAT_QDQ, OQ_GOAL_BITS, 2, 1);
    ck_assert(s.found.met && s.found.bits <= 4);
    double chosen = 0, uniform = 0, narrow = 0;
    oq_error err = {0};
    oq_sensitivity alone;
    oq_quantization q;
    s.quant.weight_bits = 4;
    CK_OK(oq_quantization_begin(&q, s.on.model, s.on.stats, &s.quant, &err), &err);
    CK_OK(oq_sensitivity_measure(&q, s.on.data, &(oq_sensitivity_options){0}, &alone, &err), &err);
    for (size_t l = 0; l < 4; l++) {
        chosen += s.found.layers[l].loss;
        uniform += alone.layers[l].loss;
        narrow += four.found.layers[l].loss;
    }
    ck_assert_msg(chosen <= uniform * (1 + 1e-9), "%g, not %g", chosen, uniform);
    ck_assert(chosen < narrow && four.found.bits == 2);
    oq_sensitivity_release(&alone);
    oq_quantization_release(&q);
    release(&four);
    release(&s);
}
END_TEST

START_TEST(a_size_is_held_by_the_model_as_written) {
    const double sizes[] = {20000, 15000, 12000, 9000};
    double last = 8;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        setting s;
        choose(&s, OQ_FORMAT_QDQ, OQ_GOAL_BYTES, sizes[i], 1);
        ck_assert(s.found.met && s.found.reached <= sizes[i]);
        ck_assert(s.found.reached == bytes_of(&s));
        ck_assert(s.found.bits <= last);
        last = s.found.bits;
        release(&s);
    }
    ck_assert(last < 6);
}
END_TEST

START_TEST(what_cannot_be_reached_gives_the_smallest) {
    setting s;
    choose(&s, OQ_FORMAT_QDQ, OQ_GOAL_BYTES, 1000, 1);
    ck_assert(!s.found.met && s.found.bits == 2 && s.found.reached == bytes_of(&s));
    release(&s);
    // A byte is what integer operators take for any width: nothing is lost for nothing.
    choose(&s, OQ_FORMAT_QOPERATOR, OQ_GOAL_BYTES, 1000, 1);
    ck_assert(!s.found.met && s.found.bits == 8 && s.found.override_count == 0);
    release(&s);
}
END_TEST

START_TEST(integer_operators_have_every_width) {
    setting s;
    choose(&s, OQ_FORMAT_QOPERATOR, OQ_GOAL_BITS, 5.3, 1);
    ck_assert(s.found.met && s.found.bits <= 5.3 && s.found.bits > 5);
    release(&s);
}
END_TEST

// Weights alone: a table and the output layer tied to it keep their width, and no layer is measured with
// them.
START_TEST(weights_alone) {
    static const char *const text = "in i int64[5]\n"
                                    "random e float32[80,64] 3 0.5\n"
                                    "random w1 float32[64,64] 7 0.3\n"
                                    "random w2 float32[64,64] 9 0.003\n"
                                    "h = Gather(e, i)\n"
                                    "a = MatMul(h, w1)\n"
                                    "b = MatMul(h, w2)\n"
                                    "s = Add(a, b)\n"
                                    "t = Transpose(e) perm=[1,0]\n"
                                    "y = MatMul(s, t)\n"
                                    "out y\n";
    oq_error err = {0};
    setting s = {.quant = oq_quant_defaults()};
    oq_storage *storage;
    oq_model *clone;
    uint64_t bytes;
    s.quant.mode = OQ_MODE_WEIGHT_ONLY;
    s.quant.embedding_bits = 8;
    s.on.model = test_graph(&s.on.mem, 13, text);
    CK_OK(oq_infer_graph(s.on.model->graph, &err), &err);
    CK_OK(oq_dataset_synthetic(&s.on.mem, s.on.model->graph, 16, 5, &s.on.data, &err), &err);
    const oq_widths_source source = {s.on.model, NULL, s.on.data, &s.quant};
    oq_widths_options options = {.goal = OQ_GOAL_BITS, .most = 6};
    CK_OK(oq_widths_choose(&source, &options, &s.found, &err), &err);
    ck_assert_uint_eq(s.found.count, 2);
    ck_assert(s.found.met);
    ck_assert_int_eq(s.found.layers[0].bits, 8);
    ck_assert_int_eq(s.found.layers[1].bits, 4);
    ck_assert(s.found.layers[1].loss > s.found.layers[1].full && s.found.layers[1].loss < 1e-3);
    oq_widths_release(&s.found);
    options = (oq_widths_options){.goal = OQ_GOAL_BYTES, .most = 13500};
    CK_OK(oq_widths_choose(&source, &options, &s.found, &err), &err);
    ck_assert(s.found.met && s.found.bits < 8);
    oq_quant_options quant = s.quant;
    quant.overrides = s.found.overrides;
    quant.override_count = s.found.override_count;
    CK_OK(oq_model_clone(s.on.model, &clone, &err), &err);
    CK_OK(oq_weights_store(clone, NULL, &quant, &storage, &err), &err);
    CK_OK(oq_weights_emit(storage, &err), &err);
    CK_OK(oq_onnx_size(clone, &bytes, &err), &err);
    ck_assert((double)bytes == s.found.reached && bytes <= 13500);
    oq_storage_free(storage);
    oq_model_free(clone);
    release(&s);
}
END_TEST

START_TEST(threads_change_no_choice) {
    setting s, other;
    choose(&s, OQ_FORMAT_QDQ, OQ_GOAL_BITS, 4.5, 1);
    choose(&other, OQ_FORMAT_QDQ, OQ_GOAL_BITS, 4.5, 3);
    for (size_t l = 0; l < s.found.count; l++) {
        ck_assert_int_eq(s.found.layers[l].bits, other.found.layers[l].bits);
        ck_assert(s.found.layers[l].loss == other.found.layers[l].loss);
    }
    release(&other);
    release(&s);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("widths");
    TCase *tcase = tcase_create("laws");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, what_is_met_already_changes_nothing);
    tcase_add_test(tcase, bits_are_saved_where_they_cost_least);
    tcase_add_test(tcase, no_choice_loses_more_than_one_width_for_all);
    tcase_add_test(tcase, a_size_is_held_by_the_model_as_written);
    tcase_add_test(tcase, what_cannot_be_reached_gives_the_smallest);
    tcase_add_test(tcase, integer_operators_have_every_width);
    tcase_add_test(tcase, weights_alone);
    tcase_add_test(tcase, threads_change_no_choice);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
