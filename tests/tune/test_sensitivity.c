// Laws of sensitivity: each layer's figures are those of the whole model with that layer alone quantized, at
// the cost of what depends on it; threads change no bit.
#include "calib/calib.h"
#include "quant/edit.h"
#include "support/graphs.h"
#include "support/support.h"
#include "tune/samples.h"
#include "tune/sensitivity.h"
#include "verify/verify.h"

#include <math.h>

// A branch that joins again, a node that moves integers, a second output that hangs on the first layer alone,
// probabilities at the end.
static const char *const network = "in x float32[1,4,6,6]\n"
                                   "random w1 float32[8,4,3,3] 7 0.5\n"
                                   "random w2 float32[8,8,1,1] 9 0.4\n"
                                   "random w3 float32[8,8,3,3] 11 0.3\n"
                                   "random w4 float32[72,5] 13 0.1\n"
                                   "a = Conv(x, w1) pads=[1,1,1,1]\n"
                                   "r = Relu(a)\n"
                                   "b = Conv(r, w2)\n"
                                   "t = Tanh(b)\n"
                                   "c = Conv(t, w3) pads=[1,1,1,1]\n"
                                   "s = Add(c, r)\n"
                                   "p = MaxPool(s) kernel_shape=[2,2] strides=[2,2]\n"
                                   "f = Flatten(p)\n"
                                   "m = MatMul(f, w4)\n"
                                   "y = Softmax(m)\n"
                                   "side = Sigmoid(r)\n"
                                   "out y side\n";

typedef struct setting {
    oq_mem mem;
    oq_model *model;
    oq_dataset *data;
    oq_stats *stats;
    oq_quantization q;
    oq_sensitivity found;
} setting;

static void measure(setting *s, const char *text, size_t samples, size_t threads, oq_format format) {
    oq_error err = {0};
    oq_pool *pool = NULL;
    oq_quant_options options = oq_quant_defaults();
    options.format = format;
    *s = (setting){0};
    s->model = test_graph(&s->mem, 13, text);
    CK_OK(oq_infer_graph(s->model->graph, &err), &err);
    CK_OK(oq_dataset_synthetic(&s->mem, s->model->graph, samples, 5, &s->data, &err), &err);
    CK_OK(oq_calibrate(s->model->graph, s->data, NULL, &s->stats, &err), &err);
    CK_OK(oq_quantization_begin(&s->q, s->model, s->stats, &options, &err), &err);
    if (threads > 1) CK_OK(oq_pool_new(&s->mem, threads, &pool, &err), &err);
    CK_OK(oq_sensitivity_measure(&s->q, s->data, &(oq_sensitivity_options){.pool = pool}, &s->found, &err),
          &err);
    oq_pool_free(pool);
}

static void release(setting *s) {
    oq_sensitivity_release(&s->found);
    oq_quantization_release(&s->q);
    oq_stats_free(s->stats);
    oq_dataset_free(s->data);
    oq_model_free(s->model);
    ck_assert_uint_eq(atomic_load(&s->mem.used), 0);
}

// The whole model with one layer quantized, over all samples.
static oq_verify_result whole_model(setting *s, oq_node_id layer) {
    oq_error err = {0};
    oq_node_override others[8];
    size_t count = 0;
    for (size_t l = 0; l < s->found.count; l++)
        if (s->found.layers[l].node != layer)
            others[count++] = (oq_node_override){.node = s->found.layers[l].node, .leave_float = "test"};
    oq_quantization one = s->q;
    oq_plan *plan;
    oq_model *clone;
    oq_verify_result result;
    one.quant.overrides = others;
    one.quant.override_count = count;
    CK_OK(oq_quantization_plan(&one, NULL, NULL, &plan, NULL, &err), &err);
    ck_assert_uint_eq(oq_plan_summarize(plan).quantized, 1);
    CK_OK(oq_model_clone(s->model, &clone, &err), &err);
    CK_OK(oq_quantization_emit(&one, plan, clone->graph, NULL, &err), &err);
    CK_OK(oq_verify(s->model->graph, clone->graph, s->data, &(oq_verify_options){0}, &result, &err), &err);
    oq_plan_free(plan);
    oq_model_free(clone);
    return result;
}

// Three samples: none is held out, so both look at the same ones.
START_TEST(a_layer_costs_what_the_whole_model_shows) {
    setting s;
    measure(&s, network, 3, 1, (oq_format)_i);
    ck_assert_uint_eq(s.found.count, 4);
    ck_assert_uint_eq(s.found.samples, 3);
    for (size_t l = 0; l < s.found.count; l++) {
        const oq_layer_loss *loss = &s.found.layers[l];
        oq_verify_result r = whole_model(&s, loss->node);
        const oq_difference *side = &r.outputs[1].all;
        const double relative = side->noise > 0 ? side->noise / side->signal : 0;
        ck_assert(r.outputs[0].all.noise > 0);
        ck_assert_msg(loss->loss == r.outputs[0].divergence + relative, "layer %zu: %g and not %g + %g", l,
                      loss->loss, r.outputs[0].divergence, relative);
        ck_assert(loss->divergence == r.outputs[0].divergence);
        ck_assert(loss->sqnr ==
                  fmin(oq_difference_sqnr(&r.outputs[0].all), oq_difference_sqnr(&r.outputs[1].all)));
        ck_assert(!l || loss->loss <= s.found.layers[l - 1].loss);
        oq_verify_release(&r);
    }
    release(&s);
}
END_TEST

// The first convolution needs the whole model, the last product itself alone.
START_TEST(only_what_depends_on_a_layer_is_run) {
    setting s;
    measure(&s, network, 3, 1, OQ_FORMAT_QOPERATOR);
    double whole = 0, spent = 0, behind = 0;
    for (size_t i = 0; i < s.model->graph->node_count; i++)
        whole += (double)oq_op_macs(s.model->graph, s.model->graph->nodes[i]);
    for (size_t i = s.model->graph->node_count; i-- > 0;) { // a chain: all products behind depend on it
        behind += (double)oq_op_macs(s.model->graph, s.model->graph->nodes[i]);
        if (oq_op_macs(s.model->graph, s.model->graph->nodes[i])) spent += behind;
    }
    ck_assert(fabs(s.found.passes - (1 + spent / whole)) < 1e-12);
    ck_assert(s.found.passes < 1 + (double)s.found.count);
    release(&s);
}
END_TEST

START_TEST(threads_change_no_bit) {
    setting one, many;
    measure(&one, network, 13, 1, OQ_FORMAT_QDQ);
    measure(&many, network, 13, 3, OQ_FORMAT_QDQ);
    ck_assert_uint_eq(one.found.samples, 10); // every fourth is held out
    for (size_t l = 0; l < one.found.count; l++) {
        ck_assert_int_eq(one.found.layers[l].node, many.found.layers[l].node);
        ck_assert(one.found.layers[l].loss == many.found.layers[l].loss);
    }
    release(&one);
    release(&many);
}
END_TEST

// Weights of 1 and samples of 0 and 1 lie on their grids.
START_TEST(an_exact_layer_costs_nothing) {
    setting s;
    measure(&s, "in x float32[1,4]\nconst w float32[4,4] 0\nm = MatMul(x, w)\ny = Add(m, x)\nout y\n", 3, 1,
            OQ_FORMAT_QOPERATOR);
    ck_assert_uint_eq(s.found.count, 1);
    ck_assert(s.found.layers[0].loss == 0 && isnan(s.found.layers[0].divergence));
    release(&s);
}
END_TEST

START_TEST(held_out_samples_are_not_chosen) {
    setting s;
    size_t indices[64];
    measure(&s, network, 41, 1, OQ_FORMAT_QOPERATOR);
    const size_t count = oq_samples_choose(s.data, 64, indices);
    ck_assert_uint_eq(count, 31);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_ne(indices[i] % OQ_HOLD_OUT_EVERY, OQ_HOLD_OUT_EVERY - 1);
        ck_assert(!i || indices[i] > indices[i - 1]);
    }
    ck_assert_uint_eq(oq_samples_choose(s.data, 8, indices), 8);
    release(&s);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("sensitivity");
    TCase *tcase = tcase_create("laws");
    tcase_add_loop_test(tcase, a_layer_costs_what_the_whole_model_shows, OQ_FORMAT_QOPERATOR,
                        OQ_FORMAT_QDQ + 1);
    tcase_add_test(tcase, only_what_depends_on_a_layer_is_run);
    tcase_add_test(tcase, threads_change_no_bit);
    tcase_add_test(tcase, an_exact_layer_costs_nothing);
    tcase_add_test(tcase, held_out_samples_are_not_chosen);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
