// Laws of verification: a model equals itself, known errors give known figures, threads change nothing.
#include "support/net.h"
#include "support/quantized.h"
#include "verify/verify.h"

#include <math.h>
#include <string.h>

// x [1, 8] -> MatMul w -> Abs (middle) -> Mul factor (y); the factor is where two models differ.
static void make(test_net *net, float factor) {
    test_net_init(net, 21);
    const oq_value_id x = test_net_input(net, "x", ONNXQ_FLOAT, OQ_SHAPE(1, 8));
    const oq_value_id w = test_net_constant(net, "w", test_net_random(net, OQ_SHAPE(8, 5), 3));
    const oq_value_id p = test_net_node(net, "MatMul", "product", x, w, OQ_NONE);
    const oq_value_id m = test_net_node(net, "Abs", "middle", p, OQ_NONE, OQ_NONE);
    const oq_value_id f = test_net_floats(net, "factor", OQ_SHAPE(1), &factor);
    test_net_output(net, test_net_node(net, "Mul", "y", m, f, OQ_NONE));
    oq_error err = {0};
    CK_OK(oq_infer_graph(net->graph, &err), &err);
}

typedef struct both {
    test_net reference, model;
    oq_dataset *data;
} both;

static void setup(both *b, float factor) {
    oq_error err = {0};
    make(&b->reference, 1);
    make(&b->model, factor);
    CK_OK(oq_dataset_synthetic(&b->reference.mem, b->reference.graph, 11, 2, &b->data, &err), &err);
}

static void teardown(both *b) {
    oq_dataset_free(b->data);
    test_net_release(&b->model);
    test_net_release(&b->reference);
}

static oq_verify_result verify(both *b, const oq_verify_options *options) {
    oq_error err = {0};
    oq_verify_result result;
    CK_OK(oq_verify(b->reference.graph, b->model.graph, b->data, options, &result, &err), &err);
    return result;
}

START_TEST(a_model_equals_itself) {
    both b;
    setup(&b, 1);
    oq_verify_result r = verify(&b, &(oq_verify_options){.layers = true});
    ck_assert_uint_eq(r.samples, 11);
    ck_assert_uint_eq(r.output_count, 1);
    const oq_output_difference *y = &r.outputs[0];
    ck_assert(isinf(oq_difference_sqnr(&y->all)) && oq_difference_sqnr(&y->all) > 0);
    ck_assert(y->all.largest == 0 && y->all.signal > 0);
    ck_assert(fabs(y->cosine_least - 1) < 1e-12 && y->classifies);
    ck_assert(y->rows == 11 && y->same == 11);
    ck_assert_uint_eq(r.layer_count, 3);
    for (size_t i = 0; i < 3; i++) ck_assert(r.layers[i].total.noise == 0 && r.layers[i].arising.noise == 0);
    oq_error err = {0};
    CK_OK(oq_verify_judge(&r, 1e9, 0.999999, 1, &err), &err);
    oq_verify_release(&r);
    teardown(&b);
}
END_TEST

// z = 1.125 y: the noise is (1/8)^2 of the signal, exactly, and arises in the last layer alone.
START_TEST(a_known_error_gives_known_figures) {
    both b;
    setup(&b, 1.125F);
    oq_verify_result r = verify(&b, &(oq_verify_options){.layers = true});
    const double expected = 20 * log10(8), sqnr = oq_difference_sqnr(&r.outputs[0].all);
    ck_assert(fabs(sqnr - expected) < 1e-4);
    ck_assert(fabs(r.outputs[0].cosine_mean - 1) < 1e-7);
    ck_assert_uint_eq(r.outputs[0].same, 11); // a positive factor moves no maximum
    for (size_t i = 0; i < 2; i++) ck_assert(r.layers[i].total.noise == 0 && r.layers[i].arising.noise == 0);
    ck_assert_str_eq(r.layers[2].name, "y");
    ck_assert_str_eq(r.layers[2].op_type, "Mul");
    ck_assert(fabs(oq_difference_sqnr(&r.layers[2].arising) - expected) < 1e-4);
    oq_error err = {0};
    CK_OK(oq_verify_judge(&r, expected - 0.01, NAN, NAN, &err), &err);
    ck_assert_int_eq(oq_verify_judge(&r, expected + 0.01, NAN, NAN, &err), ONNXQ_ACCURACY);
    ck_assert_ptr_nonnull(strstr(err.message, "'y'"));
    oq_verify_release(&r);
    teardown(&b);
}
END_TEST

// A sequence of y and of what comes before it is compared as all of its elements.
START_TEST(sequences_are_compared) {
    both b;
    oq_error err = {0};
    make(&b.reference, 1);
    make(&b.model, 1.5F);
    test_net *const nets[] = {&b.reference, &b.model};
    for (int i = 0; i < 2; i++) {
        const oq_value_id y = oq_graph_find(nets[i]->graph, "y"), m = oq_graph_find(nets[i]->graph, "middle");
        test_net_output(nets[i], test_net_node(nets[i], "SequenceConstruct", "list", m, y, OQ_NONE));
        CK_OK(oq_infer_graph(nets[i]->graph, &err), &err);
    }
    CK_OK(oq_dataset_synthetic(&b.reference.mem, b.reference.graph, 3, 2, &b.data, &err), &err);
    oq_verify_result r = verify(&b, &(oq_verify_options){0});
    ck_assert_uint_eq(r.output_count, 2);
    // Half of the signal has an error of half its size.
    ck_assert(fabs(oq_difference_sqnr(&r.outputs[1].all) - 10 * log10(2 / 0.25)) < 1e-6);
    ck_assert(!r.outputs[1].classifies && r.outputs[1].all.largest == r.outputs[0].all.largest);
    oq_verify_release(&r);
    teardown(&b);
}
END_TEST

// middle x 1000 beside y: the whole hides what became of y.
START_TEST(parts_of_a_concat_are_told) {
    both b;
    oq_error err = {0};
    const float thousand = 1000;
    make(&b.reference, 1);
    make(&b.model, 1.5F);
    test_net *const nets[] = {&b.reference, &b.model};
    for (int i = 0; i < 2; i++) {
        const oq_value_id y = oq_graph_find(nets[i]->graph, "y"), m = oq_graph_find(nets[i]->graph, "middle"),
                          f = test_net_floats(nets[i], "thousand", OQ_SHAPE(1), &thousand),
                          large = test_net_node(nets[i], "Mul", "large", m, f, OQ_NONE);
        test_net_output(nets[i], test_net_node(nets[i], "Concat", "all", large, y, OQ_NONE));
        CK_OK(oq_node_set_int(
                  nets[i]->graph,
                  oq_graph_producer_is(nets[i]->graph, oq_graph_find(nets[i]->graph, "all"), "Concat"),
                  "axis", -1, &err),
              &err);
        CK_OK(oq_infer_graph(nets[i]->graph, &err), &err);
    }
    CK_OK(oq_dataset_synthetic(&b.reference.mem, b.reference.graph, 3, 2, &b.data, &err), &err);
    oq_verify_result r = verify(&b, &(oq_verify_options){0});
    ck_assert_uint_eq(r.output_count, 2);
    ck_assert(oq_difference_sqnr(&r.outputs[1].all) > 60);
    ck_assert_uint_eq(r.part_count, 2);
    ck_assert(r.parts[0].output == 1 && r.parts[1].output == 1);
    ck_assert_str_eq(r.parts[0].name, "large");
    ck_assert_str_eq(r.parts[1].name, "y");
    ck_assert(r.parts[0].all.noise == 0 && r.parts[0].all.signal > 0);
    ck_assert(r.parts[1].all.noise == r.outputs[0].all.noise &&
              r.parts[1].all.largest == r.outputs[0].all.largest);
    oq_verify_release(&r);
    teardown(&b);
}
END_TEST

START_TEST(the_opposite_model_agrees_nowhere) {
    both b;
    setup(&b, -1);
    // Labels that the reference gets all right.
    int64_t labels[11];
    oq_error err = {0};
    for (size_t i = 0; i < 11; i++) {
        oq_value x;
        CK_OK(oq_dataset_get(b.data, i, &x, &err), &err);
        oq_tensor y = test_net_run(&b.reference, NULL, &x.tensor);
        labels[i] = 0;
        for (int64_t k = 1; k < 5; k++)
            if (((const float *)y.data)[k] > ((const float *)y.data)[labels[i]]) labels[i] = k;
        oq_tensor_release(&y);
        oq_value_release(&x);
    }
    oq_verify_result r = verify(&b, &(oq_verify_options){.labels = labels, .label_count = 11});
    ck_assert_uint_eq(r.outputs[0].same, 0);
    ck_assert(fabs(r.outputs[0].cosine_mean + 1) < 1e-9);
    ck_assert(r.outputs[0].accuracy_reference == 1 && r.outputs[0].accuracy_model == 0);
    ck_assert(fabs(oq_difference_sqnr(&r.outputs[0].all) + 20 * log10(2)) < 1e-9);
    ck_assert_int_eq(oq_verify_judge(&r, NAN, NAN, 0.5, &err), ONNXQ_ACCURACY);
    oq_verify_release(&r);
    err = (oq_error){0};
    ck_assert_int_eq(oq_verify(b.reference.graph, b.model.graph, b.data,
                               &(oq_verify_options){.labels = labels, .label_count = 10}, &r, &err),
                     ONNXQ_BAD_DATA);
    teardown(&b);
}
END_TEST

START_TEST(threads_change_no_figure) {
    both b;
    setup(&b, 1.01F);
    oq_verify_result alone = verify(&b, &(oq_verify_options){.layers = true});
    for (size_t threads = 1; threads <= 4; threads++) {
        oq_error err = {0};
        oq_pool *pool;
        CK_OK(oq_pool_new(&b.reference.mem, threads, &pool, &err), &err);
        oq_verify_result r = verify(&b, &(oq_verify_options){.layers = true, .pool = pool});
        ck_assert(r.outputs[0].all.signal == alone.outputs[0].all.signal);
        ck_assert(r.outputs[0].all.noise == alone.outputs[0].all.noise);
        ck_assert(r.outputs[0].cosine_mean == alone.outputs[0].cosine_mean);
        for (size_t i = 0; i < r.layer_count; i++)
            ck_assert(r.layers[i].arising.noise == alone.layers[i].arising.noise);
        oq_verify_release(&r);
        oq_pool_free(pool);
    }
    oq_verify_release(&alone);
    teardown(&b);
}
END_TEST

// x -> QuantizeLinear -> DequantizeLinear -> MatMul -> QuantizeLinear over -.125..: much of the product is
// cut off there -> DequantizeLinear -> Abs (y). The integers in between stand for x and for the product.
static void make_quantized(test_net *net, bool own_name) {
    test_net_init(net, 21);
    const float scales[] = {1 / 16.0F, 1 / 1024.0F};
    const oq_value_id x = test_net_input(net, "x", ONNXQ_FLOAT, OQ_SHAPE(1, 8));
    const oq_value_id w = test_net_constant(net, "w", test_net_random(net, OQ_SHAPE(8, 5), 3));
    const oq_value_id sx = test_net_floats(net, "sx", (oq_shape){0}, &scales[0]);
    const oq_value_id sp = test_net_floats(net, "sp", (oq_shape){0}, &scales[1]);
    const oq_value_id zero = test_net_scalar(net, "zero", ONNXQ_UINT8, 128);
    const oq_value_id q = test_net_node(net, "QuantizeLinear", "x_integers", x, sx, zero);
    const oq_value_id d = test_net_node(net, "DequantizeLinear", "x_again", q, sx, zero);
    const oq_value_id p = test_net_node(net, "MatMul", "product_float", d, w, OQ_NONE);
    const oq_value_id r = test_net_node(net, "QuantizeLinear", "product_quantized", p, sp, zero);
    const char *name = own_name ? "product" : "something_else";
    const oq_value_id m = test_net_node(net, "DequantizeLinear", name, r, sp, zero);
    test_net_output(net, test_net_node(net, "Abs", "middle", m, OQ_NONE, OQ_NONE));
    oq_error err = {0};
    CK_OK(oq_infer_graph(net->graph, &err), &err);
}

static void setup_quantized(both *b, bool own_name) {
    oq_error err = {0};
    test_net *net = &b->reference;
    test_net_init(net, 21);
    const oq_value_id x = test_net_input(net, "x", ONNXQ_FLOAT, OQ_SHAPE(1, 8));
    const oq_value_id w = test_net_constant(net, "w", test_net_random(net, OQ_SHAPE(8, 5), 3));
    const oq_value_id p = test_net_node(net, "MatMul", "product", x, w, OQ_NONE);
    test_net_output(net, test_net_node(net, "Abs", "middle", p, OQ_NONE, OQ_NONE));
    CK_OK(oq_infer_graph(net->graph, &err), &err);
    make_quantized(&b->model, own_name);
    CK_OK(oq_dataset_synthetic(&b->reference.mem, b->reference.graph, 11, 2, &b->data, &err), &err);
}

// Elements of |product| beyond the grid's ends, by running the reference.
static uint64_t count_beyond(both *b, float *largest) {
    oq_error err = {0};
    uint64_t beyond = 0;
    *largest = 0;
    for (size_t i = 0; i < 11; i++) {
        oq_value x;
        CK_OK(oq_dataset_get(b->data, i, &x, &err), &err);
        oq_tensor y = test_net_run(&b->reference, NULL, &x.tensor);
        for (int64_t k = 0; k < 5; k++) {
            const float value = ((const float *)y.data)[k];
            if (value > *largest) *largest = value;
            beyond += value > 129 / 1024.0F; // the grid has 128 steps below 0 and 127 above
        }
        oq_tensor_release(&y);
        oq_value_release(&x);
    }
    return beyond;
}

START_TEST(integers_stand_for_the_values_they_were_made_from) {
    for (int own_name = 0; own_name < 2; own_name++) {
        both b;
        setup_quantized(&b, own_name);
        oq_verify_result r = verify(&b, &(oq_verify_options){.layers = true});
        float largest;
        const uint64_t beyond = count_beyond(&b, &largest);
        ck_assert_uint_eq(r.layer_count, 3);
        const oq_layer_difference *x = &r.layers[0], *p = &r.layers[1], *y = &r.layers[2];
        ck_assert_str_eq(x->name, "x");
        ck_assert_str_eq(p->name, "product");
        ck_assert_str_eq(y->name, "middle");
        ck_assert(!*x->op_type && !strcmp(p->op_type, "MatMul") && !strcmp(y->op_type, "Abs"));
        ck_assert(!strcmp(x->carrier, "uint8") && !strcmp(p->carrier, "uint8") &&
                  !strcmp(y->carrier, "float32"));
        // What arises at x is rounding alone; the product is cut off by as much as it is beyond.
        ck_assert(x->total.largest <= 0.5 / 16 + 1e-7 && x->total.noise > 0);
        ck_assert(p->grid_low == -128 / 1024.0 && p->grid_high == 127 / 1024.0);
        ck_assert(p->elements == 55 && beyond > 11);
        ck_assert(p->cut_off >= beyond && p->cut_off < 55 && p->at_ends > 11 && p->at_ends <= 55);
        ck_assert(p->arising.largest > 0.9 * ((double)largest - 0.125));
        ck_assert(y->arising.noise == 0 && isnan(y->grid_low));
        // Errors arrive from the layer before.
        ck_assert(isinf(x->arriving));
        ck_assert(p->arriving == oq_difference_sqnr(&x->total));
        ck_assert(y->arriving == oq_difference_sqnr(&p->total));
        uint64_t drawn = 0;
        for (int i = 0; i < OQ_SKETCH_BINS; i++) drawn += y->sketch[i];
        ck_assert(drawn == 55 && y->sketch[OQ_SKETCH_BINS - 1] > 0 && y->high == (double)largest);
        oq_verify_release(&r);
        teardown(&b);
    }
}
END_TEST

static oq_verify_result verify_channels(test_pair *pair, bool whole_blocks, oq_dataset **data) {
    oq_quant_options options = oq_quant_defaults();
    oq_verify_result result;
    oq_error err = {0};
    options.whole_blocks = whole_blocks;
    test_pair_quantize(
        pair, 13,
        "in x float32[1,3,6,6]\nrandom e float32[12,3,1,1] 1 .6\nrandom w float32[12,1,3,3] 3 .4\n"
        "random p float32[5,12,1,1] 5 .4\nc = Conv(x, e)\nr = Tanh(c)\nd = Conv(r, w) group=12\n"
        "y = Conv(d, p)\nout y\n",
        &options);
    CK_OK(oq_infer_graph(pair->model->graph, &err), &err);
    CK_OK(oq_dataset_synthetic(&pair->mem, pair->original->graph, 3, 1, data, &err), &err);
    CK_OK(oq_verify(pair->original->graph, pair->model->graph, *data, &(oq_verify_options){.layers = true},
                    &result, &err),
          &err);
    return result;
}

// Channels that the second model has beyond those of the reference change no figure of any layer.
START_TEST(further_channels_are_left_out) {
    test_pair plain, wide;
    oq_dataset *data[2];
    oq_verify_result r[2] = {verify_channels(&plain, false, &data[0]),
                             verify_channels(&wide, true, &data[1])};
    ck_assert_int_eq(
        oq_graph_value(plain.model->graph, test_value(plain.model, "c_quantized"))->type.dim[1].size, 12);
    ck_assert_int_eq(
        oq_graph_value(wide.model->graph, test_value(wide.model, "c_quantized"))->type.dim[1].size, 16);
    ck_assert_uint_eq(r[0].layer_count, 5); // x, c, r, d, y
    ck_assert_uint_eq(r[1].layer_count, 5);
    for (size_t i = 0; i < 5; i++) {
        const oq_layer_difference *a = &r[0].layers[i], *b = &r[1].layers[i];
        ck_assert_str_eq(a->name, b->name);
        ck_assert(a->total.noise > 0 && a->total.noise == b->total.noise);
        ck_assert(a->arising.noise == b->arising.noise && a->arriving == b->arriving);
        ck_assert(a->elements == b->elements && a->at_ends == b->at_ends && a->cut_off == b->cut_off);
        ck_assert(memcmp(a->sketch, b->sketch, sizeof a->sketch) == 0);
    }
    for (int i = 0; i < 2; i++) {
        oq_verify_release(&r[i]);
        oq_dataset_free(data[i]);
        test_pair_release(i ? &wide : &plain);
    }
}
END_TEST

START_TEST(models_that_do_not_belong_together_are_refused) {
    both b;
    setup(&b, 1);
    oq_error err = {0};
    oq_verify_result r;
    CK_OK(oq_graph_rename(b.model.graph, oq_graph_find(b.model.graph, "y"), "z", &err), &err);
    ck_assert_int_eq(oq_verify(b.reference.graph, b.model.graph, b.data, &(oq_verify_options){0}, &r, &err),
                     ONNXQ_BAD_MODEL);
    ck_assert_ptr_nonnull(strstr(err.message, "'y'"));
    err = (oq_error){0};
    CK_OK(oq_graph_rename(b.model.graph, oq_graph_find(b.model.graph, "z"), "y", &err), &err);
    test_net_output(&b.model, oq_graph_find(b.model.graph, "middle"));
    ck_assert_int_eq(oq_verify(b.reference.graph, b.model.graph, b.data, &(oq_verify_options){0}, &r, &err),
                     ONNXQ_BAD_MODEL);
    teardown(&b);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("verify");
    TCase *tcase = tcase_create("verify");
    tcase_add_test(tcase, a_model_equals_itself);
    tcase_add_test(tcase, a_known_error_gives_known_figures);
    tcase_add_test(tcase, parts_of_a_concat_are_told);
    tcase_add_test(tcase, the_opposite_model_agrees_nowhere);
    tcase_add_test(tcase, sequences_are_compared);
    tcase_add_test(tcase, threads_change_no_figure);
    tcase_add_test(tcase, integers_stand_for_the_values_they_were_made_from);
    tcase_add_test(tcase, further_channels_are_left_out);
    tcase_add_test(tcase, models_that_do_not_belong_together_are_refused);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
