// Laws of sweeps: fewer bits are more noise and no more bytes, a width that cannot be had says why, the model
// stays as it was, and threads change no bit.
#include "calib/calib.h"
#include "support/graphs.h"
#include "support/support.h"
#include "tune/sweep.h"

#include <math.h>
#include <string.h>

static const char *const network = "in x float32[1,32]\n"
                                   "random w1 float32[32,64] 7 0.5\n"
                                   "random w2 float32[64,10] 9 0.5\n"
                                   "a = MatMul(x, w1)\n"
                                   "r = Relu(a)\n"
                                   "b = MatMul(r, w2)\n"
                                   "y = Softmax(b)\n"
                                   "out y\n";

// Before opset 11, Resize with computed scales has no counterpart later; the scales are all 1.
static const char *const tied_to_opset_10 = "in x float32[1,16]\n"
                                            "in z float32[2]\n"
                                            "random w float32[16,5] 7 0.5\n"
                                            "d = Sub(z, z)\n"
                                            "s = Exp(d)\n"
                                            "a = MatMul(x, w)\n"
                                            "y = Resize(a, s)\n"
                                            "out y\n";

typedef struct setting {
    oq_mem mem;
    oq_model *model, *prepared;
    oq_dataset *data;
    oq_stats *stats;
    bool per_tensor;
    oq_sweep found;
} setting;

static void prepare(setting *s, int64_t opset, const char *text) {
    oq_error err = {0};
    oq_regions regions = {0};
    *s = (setting){0};
    s->model = test_graph(&s->mem, opset, text);
    CK_OK(oq_infer_graph(s->model->graph, &err), &err);
    CK_OK(oq_model_clone(s->model, &s->prepared, &err), &err);
    CK_OK(oq_prepare_model(s->prepared, &regions, &err), &err);
    oq_regions_release(&regions);
    CK_OK(oq_infer_graph(s->prepared->graph, &err), &err);
    CK_OK(oq_dataset_synthetic(&s->mem, s->model->graph, 24, 5, &s->data, &err), &err);
    CK_OK(oq_calibrate(s->prepared->graph, s->data, NULL, &s->stats, &err), &err);
}

// Sweeps both widths together over `bits`.
static oq_status sweep(setting *s, const int *bits, size_t count, size_t threads, oq_error *err) {
    oq_pool *pool = NULL;
    oq_sweep_width widths[16];
    oq_quant_options quant = oq_quant_defaults();
    quant.per_channel = !s->per_tensor;
    const oq_sweep_source source = {s->model, s->prepared, s->stats, s->data, &quant};
    for (size_t i = 0; i < count; i++) widths[i] = (oq_sweep_width){bits[i], bits[i]};
    if (threads > 1) CK_OK(oq_pool_new(&s->mem, threads, &pool, err), err);
    const oq_sweep_options how = {
        .widths = widths, .width_count = count, .tuning = {.biases = true}, .pool = pool};
    const oq_status status = oq_sweep_measure(&source, &how, &s->found, err);
    oq_pool_free(pool);
    return status;
}

static void release(setting *s) {
    oq_sweep_release(&s->found);
    oq_stats_free(s->stats);
    oq_dataset_free(s->data);
    oq_model_free(s->prepared);
    oq_model_free(s->model);
    ck_assert_uint_eq(atomic_load(&s->mem.used), 0);
}

START_TEST(fewer_bits_are_more_noise) {
    const int bits[] = {16, 12, 8, 6, 4, 3, 2};
    const size_t count = sizeof bits / sizeof *bits;
    oq_error err = {0};
    setting s;
    prepare(&s, 13, network);
    CK_OK(sweep(&s, bits, count, 1, &err), &err);
    ck_assert(s.found.held_out);
    ck_assert_uint_eq(s.found.samples, 6);
    for (size_t i = 0; i < count; i++) {
        const oq_sweep_point *p = &s.found.points[i];
        ck_assert_ptr_null(p->obstacle);
        ck_assert_uint_eq(p->plan.quantized, 2);
        ck_assert(p->agreement >= 0 && p->agreement <= 1 && isnan(p->accuracy));
        if (i) ck_assert_msg(p->sqnr < p[-1].sqnr, "%d bits: %g after %g", bits[i], p->sqnr, p[-1].sqnr);
    }
    ck_assert(s.found.points[0].sqnr > 50);
    ck_assert_uint_lt(s.found.points[0].bytes, s.found.bytes);
    ck_assert_uint_lt(s.found.points[2].bytes, s.found.points[0].bytes);
    release(&s);
}
END_TEST

START_TEST(a_width_that_cannot_be_had_says_why) {
    const int bits[] = {16, 8, 7};
    oq_error err = {0};
    setting s;
    prepare(&s, 10, tied_to_opset_10);
    s.per_tensor = true; // scales per channel need opset 13
    CK_OK(sweep(&s, bits, 3, 1, &err), &err);
    ck_assert_str_eq(s.found.points[0].obstacle,
                     "Resize of opset 10 with computed scales cannot be upgraded");
    ck_assert_ptr_null(s.found.points[1].obstacle);
    ck_assert(s.found.points[1].sqnr > 20 && s.found.points[1].plan.quantized == 1);
    ck_assert_ptr_nonnull(s.found.points[2].obstacle);
    release(&s);
}
END_TEST

START_TEST(no_width_at_all_is_an_error) {
    const int bits[] = {16, 7};
    oq_error err = {0};
    setting s;
    prepare(&s, 10, tied_to_opset_10);
    ck_assert_int_eq(sweep(&s, bits, 2, 1, &err), ONNXQ_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "Resize"));
    release(&s);
    prepare(&s, 13, "in x float32[1,4]\ny = Tanh(x)\nout y\n");
    ck_assert_int_eq(sweep(&s, bits, 2, 1, &err), ONNXQ_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.message, "no layer can be quantized"));
    release(&s);
}
END_TEST

// Neither threads nor the widths before it change a row.
START_TEST(rows_do_not_depend_on_each_other) {
    const int bits[] = {4, 8}, back[] = {8, 4};
    oq_error err = {0};
    setting s, other;
    prepare(&s, 13, network);
    prepare(&other, 13, network);
    CK_OK(sweep(&s, bits, 2, 1, &err), &err);
    CK_OK(sweep(&other, back, 2, 3, &err), &err);
    for (size_t i = 0; i < 2; i++) {
        const oq_sweep_point *a = &s.found.points[i], *b = &other.found.points[1 - i];
        ck_assert(a->sqnr == b->sqnr && a->bytes == b->bytes && a->agreement == b->agreement);
    }
    release(&other);
    release(&s);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("sweep");
    TCase *tcase = tcase_create("laws");
    tcase_add_test(tcase, fewer_bits_are_more_noise);
    tcase_add_test(tcase, a_width_that_cannot_be_had_says_why);
    tcase_add_test(tcase, no_width_at_all_is_an_error);
    tcase_add_test(tcase, rows_do_not_depend_on_each_other);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
