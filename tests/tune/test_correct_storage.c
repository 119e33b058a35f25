// Laws of weight-only rounding with samples: the model gets better in every granularity and by every method,
// what cannot be rounded stays, and threads change no bit.
#include "quant/storage.h"
#include "support/quantized.h"
#include "support/support.h"
#include "tune/quantize.h"
#include "tune/tune.h"

#include <string.h>

// Inputs whose neighbours hang together; sums of 36, 9, 288 and 40 weights, on either side and transposed.
static const char *const network = "in x float32[16,4,6,6]\n"
                                   "random w1 float32[8,4,3,3] 7 0.5\n"
                                   "random w2 float32[8,1,3,3] 9 0.7\n"
                                   "random w3 float32[40,288] 13 0.1\n"
                                   "random w4 float32[40,6] 17 0.2\n"
                                   "random w5 float32[5,6] 19 0.4\n"
                                   "s = AveragePool(x) kernel_shape=[3,3] pads=[1,1,1,1]\n"
                                   "a = Conv(s, w1) pads=[1,1,1,1]\n"
                                   "r = Relu(a)\n"
                                   "b = Conv(r, w2) pads=[1,1,1,1] group=8\n"
                                   "f = Flatten(b)\n"
                                   "m = Gemm(f, w3) transB=1 alpha=0.5\n"
                                   "n = MatMul(m, w4)\n"
                                   "t = Transpose(n) perm=[1,0]\n"
                                   "y = MatMul(w5, t)\n"
                                   "out y\n";

typedef struct setting {
    test_pair pair;
    oq_dataset *data;
    oq_storage *storage;
    oq_correction found;
} setting;

static oq_quant_options weight_only(int bits, int64_t group_size, bool asymmetric) {
    oq_quant_options options = oq_quant_defaults();
    options.mode = OQ_MODE_WEIGHT_ONLY;
    options.weight_bits = bits;
    options.group_size = group_size;
    options.weight_asymmetric = asymmetric;
    return options;
}

static void begin(setting *s, const char *text, const oq_quant_options *options, size_t samples) {
    oq_error err = {0};
    test_pair_init(&s->pair, 13, text);
    CK_OK(oq_weights_store(s->pair.model, NULL, options, &s->storage, &err), &err);
    CK_OK(oq_dataset_synthetic(&s->pair.mem, s->pair.original->graph, samples, 3, &s->data, &err), &err);
}

static void correct(setting *s, oq_rounding rounding, size_t threads) {
    oq_error err = {0};
    oq_pool *pool = NULL;
    if (threads > 1) CK_OK(oq_pool_new(&s->pair.mem, threads, &pool, &err), &err);
    const oq_correct_options how = {.tuning = {.biases = true, .rounding = rounding}, .pool = pool};
    CK_OK(oq_correct_storage(s->storage, s->pair.model, s->data, &how, &s->found, &err), &err);
    oq_pool_free(pool);
}

static void end(setting *s) {
    oq_storage_free(s->storage);
    oq_dataset_free(s->data);
    test_pair_release(&s->pair);
}

static double emitted_sqnr(setting *s) {
    oq_error err = {0};
    CK_OK(oq_weights_emit(s->storage, &err), &err);
    return test_pair_sqnr(&s->pair);
}

static const struct {
    int64_t group_size;
    bool per_tensor, asymmetric;
    oq_rounding rounding;
} ways[] = {{0, false, false, OQ_ROUNDING_GRAM}, {0, true, false, OQ_ROUNDING_GPTQ},
            {0, false, true, OQ_ROUNDING_GPTQ},  {16, false, false, OQ_ROUNDING_GPTQ},
            {16, false, true, OQ_ROUNDING_GRAM}, {24, false, true, OQ_ROUNDING_GPTQ},
            {7, false, false, OQ_ROUNDING_GRAM}, {32, false, false, OQ_ROUNDING_ADAROUND}};

// Better on the samples that judge and on others, and every layer was looked at.
START_TEST(rounding_gains) {
    setting s, plain;
    oq_quant_options options = weight_only(4, ways[_i].group_size, ways[_i].asymmetric);
    options.per_channel = !ways[_i].per_tensor;
    begin(&s, network, &options, 64);
    begin(&plain, network, &options, 64);
    correct(&s, ways[_i].rounding, 1);
    ck_assert_uint_eq(s.found.rounding.tried, 5);
    for (size_t u = 0; u < s.storage->use_count; u++)
        ck_assert_ptr_null(oq_storage_nearest(s.storage, &s.storage->uses[u]));
    ck_assert(s.storage->rounded);
    ck_assert_msg(s.found.kept, "%g to %g dB, %zu of %zu", s.found.before, s.found.after,
                  s.found.rounding.kept, s.found.rounding.tried);
    ck_assert_double_gt(s.found.after, s.found.before + 0.5);
    const double better = emitted_sqnr(&s), than = emitted_sqnr(&plain);
    ck_assert_msg(better > than + 0.5, "%g dB, nearest %g dB", better, than);
    end(&s);
    end(&plain);
}
END_TEST

START_TEST(threads_change_no_bit) {
    setting s, other;
    const oq_quant_options options = weight_only(3, 12, true);
    begin(&s, network, &options, 20);
    begin(&other, network, &options, 20);
    correct(&s, OQ_ROUNDING_GPTQ, 1);
    correct(&other, OQ_ROUNDING_GPTQ, 3);
    ck_assert_double_eq(s.found.after, other.found.after);
    for (size_t i = 0; i < s.storage->count; i++)
        ck_assert_mem_eq(s.storage->items[i].q.data, other.storage->items[i].q.data,
                         oq_tensor_bytes(&s.storage->items[i].q));
    end(&s);
    end(&other);
}
END_TEST

// What two layers read, a stack of matrices, a recurrent layer's weights, a transposed convolution's.
START_TEST(some_weights_stay) {
    setting s;
    const oq_quant_options options = weight_only(4, 0, false);
    begin(&s,
          "in x float32[2,3,12]\nrandom w float32[12,12] 3 0.5\nrandom v float32[2,12,12] 4 0.5\n"
          "random g float32[1,20,12] 5 0.5\nrandom r float32[1,20,5] 6 0.5\na = MatMul(x, w)\n"
          "b = MatMul(a, w)\nc = MatMul(b, v)\nz = LSTM(c, g, r) hidden_size=5\nin i float32[1,3,4,4]\n"
          "random t float32[3,2,2,2] 7 .5\nd = ConvTranspose(i, t) strides=[2,2]\nout z d\n",
          &options, 16);
    oq_tensor before[8];
    ck_assert_uint_le(s.storage->count, 8);
    for (size_t i = 0; i < s.storage->count; i++) before[i] = oq_tensor_retain(&s.storage->items[i].q);
    correct(&s, OQ_ROUNDING_GRAM, 1);
    ck_assert_uint_eq(s.found.rounding.tried, 0);
    static const char *const reasons[] = {"several nodes read these weights",
                                          "several nodes read these weights",
                                          "it is no single matrix",
                                          "samples are looked at for sums of Conv, Gemm and MatMul alone",
                                          "samples are looked at for sums of Conv, Gemm and MatMul alone",
                                          "it is no single matrix"};
    ck_assert_uint_eq(s.storage->use_count, 6);
    for (size_t u = 0; u < 6; u++)
        ck_assert_str_eq(oq_storage_nearest(s.storage, &s.storage->uses[u]), reasons[u]);
    for (size_t i = 0; i < s.storage->count; i++) {
        ck_assert_mem_eq(s.storage->items[i].q.data, before[i].data, oq_tensor_bytes(&before[i]));
        oq_tensor_release(&before[i]);
    }
    end(&s);
}
END_TEST

// Biases of Conv, also where there was none, and of Gemm take up what nearest integers lose in the mean; not
// where Gemm multiplies its addend.
START_TEST(biases_take_up_means) {
    static const char *const text =
        "in x float32[8,4,6,6]\nrandom w1 float32[8,4,3,3] 7 0.5\nrandom b1 float32[8] 8 1\n"
        "random w2 float32[8,8,3,3] 9 0.3\nrandom w3 float32[20,288] 13 0.1\nrandom b3 float32[20] 14 1\n"
        "random w4 float32[20,6] 15 0.3\nrandom b4 float32[6] 16 1\np = Relu(x)\na = Conv(p, w1, b1) "
        "pads=[1,1,1,1]\n"
        "r = Relu(a)\nb = Conv(r, w2) pads=[1,1,1,1]\nt = Relu(b)\nf = Flatten(t)\n"
        "m = Gemm(f, w3, b3) transB=1\nu = Relu(m)\ny = Gemm(u, w4, b4) beta=0.5\nout y\n";
    setting s;
    const oq_quant_options options = weight_only(3, 0, false);
    begin(&s, text, &options, 96);
    correct(&s, OQ_ROUNDING_NEAREST, 1);
    ck_assert_msg(s.found.kept && !s.storage->rounded && s.found.rounding.tried == 0,
                  "%d, %d, %zu; %g to %g dB, biases of %zu", s.found.kept, s.storage->rounded,
                  s.found.rounding.tried, s.found.before, s.found.after, s.found.layers);
    ck_assert_uint_eq(s.storage->bias_count, 3);
    ck_assert_double_gt(s.found.after, s.found.before);
    emitted_sqnr(&s);
    const oq_graph *graph = s.pair.model->graph;
    ck_assert_uint_eq(test_producer(s.pair.model, "b")->input_count, 3);
    ck_assert_str_eq(oq_graph_value(graph, test_producer(s.pair.model, "m")->inputs[2])->name,
                     "b3_corrected");
    ck_assert_str_eq(oq_graph_value(graph, test_producer(s.pair.model, "y")->inputs[2])->name, "b4");
    end(&s);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("tune/correct_storage");
    TCase *laws = tcase_create("laws");
    tcase_set_timeout(laws, 60);
    tcase_add_loop_test(laws, rounding_gains, 0, sizeof ways / sizeof *ways);
    tcase_add_test(laws, threads_change_no_bit);
    tcase_add_test(laws, some_weights_stay);
    tcase_add_test(laws, biases_take_up_means);
    suite_add_tcase(suite, laws);
    return test_main(suite);
}
