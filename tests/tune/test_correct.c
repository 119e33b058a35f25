// Laws of bias correction: mean errors vanish on the samples it was fitted on, nothing changes without an
// error, and threads change no bit.
#include "quant/edit.h"
#include "run/run.h"
#include "support/quantized.h"
#include "support/support.h"
#include "tune/tune.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

// Two convolutions, the first without bias, then a matrix with a bias that is added; coarse weights per
// tensor.
static const char *const network = "in x float32[1,4,6,6]\n"
                                   "random w1 float32[8,4,3,3] 7 0.5\n"
                                   "random w2 float32[8,1,3,3] 9 0.7\n"
                                   "random b2 float32[8] 11 0.2\n"
                                   "random w3 float32[288,5] 13 0.1\n"
                                   "random b3 float32[5] 17 0.2\n"
                                   "a = Conv(x, w1) pads=[1,1,1,1]\n"
                                   "r = Relu(a)\n"
                                   "b = Conv(r, w2, b2) pads=[1,1,1,1] group=8\n"
                                   "f = Flatten(b)\n"
                                   "m = MatMul(f, w3)\n"
                                   "y = Add(m, b3)\n"
                                   "out y\n";

// The same on inputs whose neighbours hang together.
static const char *const smooth_network = "in x float32[1,4,6,6]\n"
                                          "random w1 float32[8,4,3,3] 7 0.5\n"
                                          "random w2 float32[8,1,3,3] 9 0.7\n"
                                          "random b2 float32[8] 11 0.2\n"
                                          "random w3 float32[288,5] 13 0.1\n"
                                          "random b3 float32[5] 17 0.2\n"
                                          "s = AveragePool(x) kernel_shape=[3,3] pads=[1,1,1,1]\n"
                                          "a = Conv(s, w1) pads=[1,1,1,1]\n"
                                          "r = Relu(a)\n"
                                          "b = Conv(r, w2, b2) pads=[1,1,1,1] group=8\n"
                                          "f = Flatten(b)\n"
                                          "m = MatMul(f, w3)\n"
                                          "y = Add(m, b3)\n"
                                          "out y\n";

// Ranges that cut what the samples hold: errors whose means are not 0.
static void cut_ranges(test_pair *pair) {
    test_pair_range(pair, "x", -4, 4);
    test_pair_range(pair, "a", -6, 2.5F);
    test_pair_range(pair, "r", 0, 2.5F);
    test_pair_range(pair, "b", -3, 3);
    test_pair_range(pair, "f", -3, 3);
    test_pair_range(pair, "m", -9, 9);
    test_pair_range(pair, "y", -9, 9);
}

typedef struct setting {
    test_pair pair;
    oq_dataset *data;
    oq_correction found;
} setting;

// Ranges that hold nearly all: what is lost is lost in weights of 4 bits.
static void wide_ranges(test_pair *pair) {
    static const char *const values[] = {"a", "b", "f", "m", "y"};
    test_pair_range(pair, "s", -2, 2);
    test_pair_range(pair, "r", 0, 4);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) test_pair_range(pair, values[i], -4, 4);
}

static void tune(setting *s, size_t threads, const char *text, size_t samples,
                 const oq_quant_options *options, oq_tuning tuning) {
    oq_error err = {0};
    oq_pool *pool = NULL;
    test_pair_init(&s->pair, 13, text);
    if (text == smooth_network)
        wide_ranges(&s->pair);
    else
        cut_ranges(&s->pair);
    test_pair_plan(&s->pair, options);
    oq_mem *mem = &s->pair.mem;
    if (threads > 1) CK_OK(oq_pool_new(mem, threads, &pool, &err), &err);
    CK_OK(oq_dataset_synthetic(mem, s->pair.original->graph, samples, 3, &s->data, &err), &err);
    CK_OK(oq_correct_plan(s->pair.plan, s->pair.model, s->data,
                          &(oq_correct_options){.tuning = tuning, .pool = pool}, &s->found, &err),
          &err);
    oq_pool_free(pool);
}

static void correct(setting *s, const char *text, size_t samples, size_t threads, oq_format format) {
    oq_quant_options options = oq_quant_defaults();
    options.format = format;
    options.per_channel = false;
    tune(s, threads, text, samples, &options, (oq_tuning){.biases = true});
}

static void release(setting *s) {
    oq_dataset_free(s->data);
    test_pair_release(&s->pair);
}

// Mean of output `y` of a graph over all samples, per column.
static void means(const setting *s, oq_graph *graph, double *mean) {
    oq_error err = {0};
    oq_program *program;
    oq_worker *worker;
    CK_OK(oq_program_new(graph, NULL, &program, &err), &err);
    CK_OK(oq_worker_new(program, &worker, &err), &err);
    for (int c = 0; c < 5; c++) mean[c] = 0;
    const size_t count = oq_dataset_count(s->data);
    for (size_t i = 0; i < count; i++) {
        oq_value x, y;
        CK_OK(oq_dataset_get(s->data, i, &x, &err), &err);
        CK_OK(oq_worker_run(worker, &x, &y, NULL, NULL, &err), &err);
        for (int c = 0; c < 5; c++) mean[c] += (double)((const float *)y.tensor.data)[c] / (double)count;
        oq_value_release(&x);
        oq_value_release(&y);
    }
    oq_worker_free(worker);
    oq_program_free(program);
}

// Three samples: too few to hold any out, so all of them are fitted on. The last layer gives floats, whose
// means the emitted model must meet.
START_TEST(mean_errors_vanish) {
    setting s;
    double want[5], got[5];
    correct(&s, network, 3, 1, (oq_format)_i);
    ck_assert_msg(s.found.kept, "%.2f -> %.2f dB", s.found.before, s.found.after);
    ck_assert_uint_eq(s.found.layers, 3);
    ck_assert_uint_eq(s.found.samples, 3);
    ck_assert_uint_eq(s.found.judged, 3);
    ck_assert_msg(s.found.after > s.found.before + 0.3, "%.2f -> %.2f dB", s.found.before, s.found.after);
    test_pair_emit(&s.pair);
    means(&s, s.pair.original->graph, want);
    means(&s, s.pair.model->graph, got);
    for (int c = 0; c < 5; c++)
        ck_assert_msg(fabs(want[c] - got[c]) < 2e-3, "column %d: %g and not %g", c, got[c], want[c]);
    release(&s);
}
END_TEST

// Products of matrices without bias get one where that takes no time: in Q/DQ form as Gemm, in integer
// operators where the result is float.
START_TEST(products_get_biases) {
    setting s;
    double want[5], got[5];
    const bool qdq = _i == OQ_FORMAT_QDQ;
    oq_error err = {0};
    oq_quant_options options = oq_quant_defaults();
    options.format = (oq_format)_i;
    options.per_channel = false;
    tune(&s, 1,
         "in x float32[1,24]\nrandom w1 float32[24,9] 7 0.5\nrandom w2 float32[5,9] 9 0.7\n"
         "a = MatMul(x, w1)\nr = Relu(a)\ny = Gemm(r, w2) transB=1\nout y\n",
         3, &options, (oq_tuning){.biases = false});
    CK_OK(oq_correct_layers(s.pair.plan, s.pair.model->graph, s.data,
                            &(oq_correct_options){.tuning = {.biases = true}}, &s.found, &err),
          &err);
    ck_assert_uint_eq(s.found.layers, qdq ? 2 : 1);
    test_pair_emit(&s.pair);
    ck_assert_uint_eq(test_count(s.pair.model, "Gemm"), qdq ? 2 : 0);
    ck_assert_uint_eq(test_count(s.pair.model, "QLinearMatMul"), !qdq);
    ck_assert_uint_eq(test_count(s.pair.model, "Add"), !qdq);
    means(&s, s.pair.original->graph, want);
    means(&s, s.pair.model->graph, got);
    for (int c = 0; c < 5; c++)
        ck_assert_msg(fabs(want[c] - got[c]) < 2e-3, "column %d: %g and not %g", c, got[c], want[c]);
    oq_plan_revert(s.pair.plan);
    ck_assert(!oq_plan_layer(s.pair.plan, 1)->vector);
    release(&s);
}
END_TEST

// Of more axes, in Q/DQ form, or with an integer result it would be an Add that takes time.
START_TEST(biases_that_cost_time_are_not_made) {
    setting s;
    oq_quant_options options = oq_quant_defaults();
    options.format = (oq_format)_i;
    tune(&s, 1,
         _i == OQ_FORMAT_QDQ
             ? "in x float32[1,4,24]\nrandom w1 float32[24,9] 7 0.5\ny = MatMul(x, w1)\nout y\n"
             : "in x float32[1,4,24]\nrandom w1 float32[24,9] 7 0.5\nrandom w2 float32[9,5] 9 "
               "0.7\na = MatMul(x, w1)\nr = Relu(a)\ny = MatMul(r, w2)\nout y\n",
         3, &options, (oq_tuning){.biases = true});
    ck_assert_uint_eq(oq_plan_bias_count(s.pair.plan, oq_plan_layer(s.pair.plan, 0)), 0);
    release(&s);
}
END_TEST

START_TEST(without_correction_means_are_off) {
    setting s;
    double want[5], got[5], worst = 0;
    correct(&s, network, 3, 1, OQ_FORMAT_QOPERATOR);
    oq_plan_revert(s.pair.plan);
    test_pair_emit(&s.pair);
    means(&s, s.pair.original->graph, want);
    means(&s, s.pair.model->graph, got);
    for (int c = 0; c < 5; c++) worst = fmax(worst, fabs(want[c] - got[c]));
    ck_assert_msg(worst > 2e-2, "largest mean error %g", worst);
    release(&s);
}
END_TEST

START_TEST(threads_change_no_bit) {
    setting one, many;
    correct(&one, network, 11, 1, OQ_FORMAT_QOPERATOR);
    correct(&many, network, 11, 3, OQ_FORMAT_QOPERATOR);
    ck_assert_uint_eq(one.found.samples, 9);
    ck_assert_uint_eq(one.found.judged, 2);
    ck_assert(one.found.before == many.found.before && one.found.after == many.found.after);
    ck_assert_uint_eq(oq_plan_layer_count(one.pair.plan), 3);
    for (size_t l = 0; l < 3; l++) {
        const oq_layer *a = oq_plan_layer(one.pair.plan, l), *b = oq_plan_layer(many.pair.plan, l);
        ck_assert_uint_eq(a->bias_count, b->bias_count);
        if (a->bias_count) ck_assert_mem_eq(a->bias, b->bias, a->bias_count * sizeof *a->bias);
    }
    release(&one);
    release(&many);
}
END_TEST

static void round_coarsely(setting *s, size_t samples, size_t threads, oq_format format,
                           oq_rounding rounding) {
    oq_quant_options options = oq_quant_defaults();
    options.format = format;
    options.weight_bits = 4;
    tune(s, threads, smooth_network, samples, &options, (oq_tuning){.biases = true, .rounding = rounding});
}

// Rounding goes beyond what biases can do.
START_TEST(rounding_gains) {
    setting biases, s;
    round_coarsely(&biases, 200, 1, (oq_format)_i, OQ_ROUNDING_NEAREST);
    round_coarsely(&s, 200, 1, (oq_format)_i, OQ_ROUNDING_GRAM);
    ck_assert_uint_eq(s.found.rounding.tried, 3);
    ck_assert_uint_ge(s.found.rounding.kept, 2);
    ck_assert_msg(s.found.kept && s.found.after > biases.found.after + 0.3,
                  "%.2f dB with biases, %.2f with both", biases.found.after, s.found.after);
    release(&biases);
    release(&s);
}
END_TEST

START_TEST(threads_change_no_rounding) {
    setting one, many;
    round_coarsely(&one, 203, 1, OQ_FORMAT_QOPERATOR, OQ_ROUNDING_GRAM);
    round_coarsely(&many, 203, 3, OQ_FORMAT_QOPERATOR, OQ_ROUNDING_GRAM);
    ck_assert(one.found.rounding.kept > 0 && one.found.after == many.found.after);
    for (size_t l = 0; l < 3; l++) {
        oq_error err = {0};
        oq_weight_rows a, b;
        CK_OK(oq_plan_take_rows(one.pair.plan, oq_plan_layer(one.pair.plan, l), &a, &err), &err);
        CK_OK(oq_plan_take_rows(many.pair.plan, oq_plan_layer(many.pair.plan, l), &b, &err), &err);
        ck_assert_mem_eq(a.q, b.q, a.outputs * a.depth * sizeof *a.q);
        oq_weight_rows_release(&a);
        oq_weight_rows_release(&b);
    }
    release(&one);
    release(&many);
}
END_TEST

// Samples that judge lie on the other side of 0 than those that are fitted on, so that mean errors, taken up
// by biases, double there; integers that were fitted about 0 serve both.
static void write_two_sides(oq_mem *mem, const char *path) {
    enum { COUNT = 48, WIDTH = 24 };
    oq_error err = {0};
    const char *name = "x";
    oq_tensor t;
    uint32_t seed = 4;
    const oq_shape shape = OQ_SHAPE(COUNT, WIDTH);
    CK_OK(oq_tensor_new(mem, ONNXQ_FLOAT, &shape, &t, &err), &err);
    float *x = t.data;
    for (size_t i = 0; i < COUNT * WIDTH; i++) {
        seed = seed * 1664525U + 1013904223U;
        x[i] = (i / WIDTH % 4 == 3 ? -1.0F : 1.0F) * (1 + (float)(seed >> 8) / (float)(1 << 24));
    }
    CK_OK(oq_npz_write(mem, path, &name, &t, 1, &err), &err);
    oq_tensor_release(&t);
}

// Where biases spoil what roundings gain, roundings alone stay.
START_TEST(roundings_stay_without_biases) {
    oq_error err = {0};
    setting s = {0};
    char folder[256], path[300];
    const char *source = path;
    oq_quant_options options = oq_quant_defaults();
    options.weight_bits = 4;
    test_pair_init(&s.pair, 13,
                   "in x float32[1,24]\nrandom w float32[24,9] 7 0.5\nrandom b float32[9] 9 0.5\n"
                   "m = MatMul(x, w)\ny = Add(m, b)\nout y\n");
    test_pair_range(&s.pair, "x", -2, 2);
    test_pair_range(&s.pair, "y", -9, 9);
    test_pair_plan(&s.pair, &options);
    test_temporary_folder(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/x.npz", folder);
    write_two_sides(&s.pair.mem, path);
    CK_OK(oq_dataset_open(&s.pair.mem, s.pair.original->graph, &source, 1, &s.data, &err), &err);
    const oq_tuning tuning = {.biases = true, .rounding = _i ? OQ_ROUNDING_GRAM : OQ_ROUNDING_NEAREST};
    CK_OK(oq_correct_plan(s.pair.plan, s.pair.model, s.data, &(oq_correct_options){.tuning = tuning},
                          &s.found, &err),
          &err);
    ck_assert_int_eq(s.found.kept, _i);
    ck_assert_uint_eq(s.found.rounding.kept, (size_t)_i);
    ck_assert_uint_eq(s.found.layers, !_i);
    ck_assert_msg(!_i || s.found.after > s.found.before + 1, "%g -> %g dB", s.found.before, s.found.after);
    release(&s);
    test_remove_folder(folder);
}
END_TEST

// The largest sum of two neighbours of one sign, as kernels of 16 bits add them: channels at one place of a
// convolution with `cells` places, else rows of a matrix.
static int32_t widest_pair(const oq_plan *plan, size_t layer, size_t cells) {
    oq_error err = {0};
    oq_weight_rows rows;
    int32_t widest = 0;
    CK_OK(oq_plan_take_rows(plan, oq_plan_layer(plan, layer), &rows, &err), &err);
    const size_t channels = rows.depth / cells;
    for (size_t o = 0; o < rows.outputs; o++)
        for (size_t k = 0; k + 1 < rows.depth; k += 2) {
            const int32_t *row = rows.q + o * rows.depth;
            const int32_t a = row[k % channels * cells + k / channels],
                          b = row[(k + 1) % channels * cells + (k + 1) / channels];
            if ((a < 0) == (b < 0) && abs(a + b) > widest) widest = abs(a + b);
        }
    oq_weight_rows_release(&rows);
    return widest;
}

// Layers whose weights are limited for the target are rounded like others, within the limit.
START_TEST(limited_weights_are_rounded) {
    setting s;
    oq_error err = {0};
    oq_correction found = {0};
    oq_quant_options options = oq_quant_defaults();
    options.target = OQ_TARGET_X86_AVX2;
    tune(&s, 1, smooth_network, 40, &options, (oq_tuning){.biases = false});
    const oq_correct_options rounding = {.tuning = {.rounding = (oq_rounding)_i}};
    CK_OK(oq_correct_layers(s.pair.plan, s.pair.model->graph, s.data, &rounding, &found, &err), &err);
    ck_assert_uint_eq(found.rounding.tried, 3);
    ck_assert(oq_plan_layer(s.pair.plan, 0)->pairs && oq_plan_layer(s.pair.plan, 0)->narrowed);
    ck_assert_ptr_nonnull(oq_plan_layer(s.pair.plan, 0)->before);
    ck_assert_int_le(widest_pair(s.pair.plan, 0, 9), 128);
    ck_assert_int_le(widest_pair(s.pair.plan, 2, 1), 128);
    release(&s);
}
END_TEST

// Weights and activations that lie on their grids: no error, so no bias moves, and none is made.
START_TEST(an_exact_model_stays_as_it_is) {
    setting s;
    correct(&s, "in x float32[1,2,4,4]\nconst w float32[2,2,1,1] 0\na = Conv(x, w)\ny = Relu(a)\nout y\n", 8,
            1, OQ_FORMAT_QOPERATOR);
    ck_assert(!s.found.kept);
    ck_assert_uint_eq(s.found.layers, 0);
    ck_assert(s.found.before == s.found.after);
    ck_assert_ptr_null(oq_plan_layer(s.pair.plan, 0)->before);
    release(&s);
}
END_TEST

// What does not help on the samples held out is undone.
START_TEST(revert_restores_every_layer) {
    setting s;
    correct(&s, network, 3, 1, OQ_FORMAT_QDQ);
    ck_assert_ptr_nonnull(oq_plan_layer(s.pair.plan, 0)->before);
    oq_plan_revert(s.pair.plan);
    ck_assert_ptr_null(oq_plan_layer(s.pair.plan, 0)->before);
    ck_assert(!oq_plan_layer(s.pair.plan, 0)->vector); // the convolution without bias has none again
    release(&s);
}
END_TEST

// A bias beyond the int32 accumulator is refused, the others are taken.
START_TEST(a_bias_that_overflows_is_refused) {
    setting s;
    oq_error err = {0};
    float shift[8] = {0.25F, INFINITY, 1e30F};
    correct(&s, network, 3, 1, OQ_FORMAT_QOPERATOR);
    oq_plan_revert(s.pair.plan);
    CK_OK(oq_plan_shift_bias(s.pair.plan, 0, shift, &err), &err);
    ck_assert(shift[0] == 0.25F && shift[1] == 0 && shift[2] == 0);
    ck_assert(oq_plan_layer(s.pair.plan, 0)->bias[0] == 0.25F);
    release(&s);
}
END_TEST

// Tables beside a plan that loses much (4 bits) cost next to nothing, beside one that loses less than they
// do they cost all.
START_TEST(tables_are_judged) {
    oq_error err = {0};
    setting s = {0};
    oq_quant_options options = oq_quant_defaults();
    options.embedding_bits = 8;
    options.embedding_by_gain = true;
    options.weight_bits = _i ? 16 : 3;
    options.activation_bits = _i ? 16 : 8;
    options.format = OQ_FORMAT_QDQ;
    test_pair_init(&s.pair, 21,
                   "in ids int64[5]\nrandom t float32[900,80] 1 1\nrandom w float32[80,9] 2 1\n"
                   "e = Gather(t, ids)\nm = MatMul(e, w)\ny = Neg(m)\nout y\n");
    test_pair_range(&s.pair, "e", -1, 1);
    test_pair_range(&s.pair, "m", -20, 20);
    test_pair_plan(&s.pair, &options);
    CK_OK(oq_dataset_synthetic(&s.pair.mem, s.pair.original->graph, 20, 3, &s.data, &err), &err);
    CK_OK(oq_correct_plan(s.pair.plan, s.pair.model, s.data,
                          &(oq_correct_options){.tuning = {.biases = true}, .tables = &options}, &s.found,
                          &err),
          &err);
    ck_assert(s.found.tables_judged);
    ck_assert_msg(s.found.tables > 40 && s.found.tables < 60, "%g dB", s.found.tables);
    ck_assert_int_eq(s.found.tables_kept, !_i);
    release(&s);
}
END_TEST

// Most bytes that tuning holds beyond what is there before. Eight samples of the first network take more than
// samples may keep, those of the second one less.
static size_t peak_of(bool wide, size_t samples) {
    static const char *const inputs[] = {"in x float32[1,3,80,80]\n", "in x float32[1,3,192,192]\n"};
    static const char *const layers = "random w float32[32,3,3,3] 7 0.3\n"
                                      "random v float32[32,6] 9 0.3\n"
                                      "a = Conv(x, w) pads=[1,1,1,1]\n"
                                      "r = Relu(a)\n"
                                      "p = MaxPool(r) kernel_shape=[8,8] strides=[8,8]\n"
                                      "g = GlobalAveragePool(p)\n"
                                      "f = Flatten(g)\n"
                                      "y = MatMul(f, v)\n"
                                      "out y\n";
    static const char *const values[] = {"x", "a", "y"}, *const cut[] = {"r", "p", "g", "f"};
    const oq_quant_options options = oq_quant_defaults();
    oq_error err = {0};
    setting s = {0};
    char text[1024];
    snprintf(text, sizeof text, "%s%s", inputs[wide], layers);
    test_pair_init(&s.pair, 13, text);
    for (size_t i = 0; i < 3; i++) test_pair_range(&s.pair, values[i], -3, 3);
    for (size_t i = 0; i < 4; i++) test_pair_range(&s.pair, cut[i], 0, 3);
    test_pair_plan(&s.pair, &options);
    oq_mem *mem = &s.pair.mem;
    CK_OK(oq_dataset_synthetic(mem, s.pair.original->graph, samples, 3, &s.data, &err), &err);
    const size_t before = atomic_load(&mem->used);
    atomic_store(&mem->peak, before);
    const oq_tuning tuning = {.biases = true, .rounding = OQ_ROUNDING_GRAM};
    CK_OK(oq_correct_plan(s.pair.plan, s.pair.model, s.data, &(oq_correct_options){.tuning = tuning},
                          &s.found, &err),
          &err);
    ck_assert_uint_eq(s.found.samples, samples < 100 ? samples - samples / 4 : 96);
    const size_t peak = atomic_load(&mem->peak) - before;
    release(&s);
    return peak;
}

START_TEST(a_hundred_times_the_samples_need_no_more_memory) {
    const size_t few = peak_of(_i, 10), many = peak_of(_i, 1000);
    ck_assert_msg(many <= few + few / 20, "%zu bytes for 10 samples, %zu for 1000", few, many);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("tune/correct");
    TCase *laws = tcase_create("laws");
    tcase_add_loop_test(laws, mean_errors_vanish, OQ_FORMAT_QOPERATOR, OQ_FORMAT_QDQ + 1);
    tcase_add_loop_test(laws, products_get_biases, OQ_FORMAT_QOPERATOR, OQ_FORMAT_QDQ + 1);
    tcase_add_loop_test(laws, biases_that_cost_time_are_not_made, OQ_FORMAT_QOPERATOR, OQ_FORMAT_QDQ + 1);
    tcase_add_test(laws, without_correction_means_are_off);
    tcase_add_test(laws, threads_change_no_bit);
    tcase_add_loop_test(laws, rounding_gains, OQ_FORMAT_QOPERATOR, OQ_FORMAT_QDQ + 1);
    tcase_add_test(laws, threads_change_no_rounding);
    tcase_add_loop_test(laws, roundings_stay_without_biases, 0, 2);
    tcase_add_loop_test(laws, limited_weights_are_rounded, OQ_ROUNDING_GRAM, OQ_ROUNDING_ADAROUND + 1);
    tcase_add_test(laws, an_exact_model_stays_as_it_is);
    tcase_add_test(laws, revert_restores_every_layer);
    tcase_add_test(laws, a_bias_that_overflows_is_refused);
    tcase_add_loop_test(laws, tables_are_judged, 0, 2);
    TCase *memory = tcase_create("memory");
    tcase_set_timeout(memory, 120);
    tcase_add_loop_test(memory, a_hundred_times_the_samples_need_no_more_memory, 0, 2);
    suite_add_tcase(suite, laws);
    suite_add_tcase(suite, memory);
    return test_main(suite);
}
