// Laws of narrowed weights: what they give on kernels that saturate sums of pairs is what they give anywhere,
// to the bit; other weights lose much there; channels that need nothing keep their scale.
#include "run/run.h"
#include "support/quantized.h"
#include "support/support.h"

#include <math.h>
#include <string.h>

typedef struct product {
    const char *what, *text;
    bool loses; // without the target
} product;

static const product products[] = {
    {"MatMul", "in x float32[3,17]\nrandom w float32[17,8] 1 1\ny = MatMul(x, w)\nout y", true},
    {"Gemm",
     "in x float32[3,16]\nrandom w float32[8,16] 1 1\nrandom c float32[8] 2 1\n"
     "y = Gemm(x, w, c) transB=1\nout y",
     true},
    {"stack", "in x float32[2,3,16]\nrandom w float32[2,16,8] 1 1\ny = MatMul(x, w)\nout y", true},
    {"vector", "in x float32[3,16]\nrandom w float32[16] 5 1\ny = MatMul(x, w)\nout y", true},
    {"Conv",
     "in x float32[1,5,6,6]\nrandom w float32[8,5,3,3] 1 1\nrandom b float32[8] 2 1\n"
     "y = Conv(x, w, b) pads=[1,1,1,1]\nout y",
     true},
    {"Conv of one channel", "in x float32[1,1,6,6]\nrandom w float32[8,1,3,3] 1 1\ny = Conv(x, w)\nout y",
     true},
    {"Conv of groups", "in x float32[1,6,6,6]\nrandom w float32[8,3,3,3] 1 1\ny = Conv(x, w) group=2\nout y",
     true},
    {"Conv beside zero channels",
     "in x float32[1,3,6,6]\nconst i float32[3,3,1,1] 1 0 0 0 1 0 0 0 1\n"
     "random w float32[16,3,3,3] 1 1\nm = Conv(x, i)\ny = Conv(m, w)\nout y",
     true},
    {"depthwise Conv", "in x float32[1,6,6,6]\nrandom w float32[6,1,3,3] 1 1\ny = Conv(x, w) group=6\nout y",
     false},
};
enum { PRODUCTS = sizeof products / sizeof *products };

static void quantize(test_pair *pair, const product *p, oq_target target, int variant) {
    oq_quant_options options = oq_quant_defaults();
    options.format = variant & 1 ? OQ_FORMAT_QDQ : OQ_FORMAT_QOPERATOR;
    options.per_channel = !(variant & 2);
    options.target = target;
    test_pair_init(pair, 21, p->text);
    pair->low = 0.7F; // integers near the top of uint8
    pair->high = 1;
    test_pair_calibrate(pair);
    test_pair_plan(pair, &options);
    test_pair_emit(pair);
}

// Output of the quantized graph on x = .95 everywhere.
static oq_tensor run(test_pair *pair, bool saturating) {
    oq_error err = {0};
    oq_program *program;
    oq_worker *worker;
    oq_graph *graph = pair->model->graph;
    const oq_type *type = &oq_graph_value(graph, graph->inputs[0])->type;
    oq_shape shape = {.rank = type->rank};
    for (int d = 0; d < shape.rank; d++) shape.dim[d] = type->dim[d].size;
    oq_tensor x;
    CK_OK(oq_tensor_new(&pair->mem, ONNXQ_FLOAT, &shape, &x, &err), &err);
    for (int64_t i = 0; i < oq_tensor_count(&x); i++) ((float *)x.data)[i] = 0.95F;
    oq_value in = oq_value_of_tensor(x), out;
    CK_OK(oq_program_new(graph, &(oq_program_options){.saturate_pairs = saturating}, &program, &err), &err);
    CK_OK(oq_worker_new(program, &worker, &err), &err);
    CK_OK(oq_worker_run(worker, &in, &out, NULL, NULL, &err), &err);
    oq_worker_free(worker);
    oq_program_free(program);
    oq_value_release(&in);
    return out.tensor;
}

START_TEST(narrowed_weights_give_the_same_where_pairs_saturate) {
    for (int variant = 0; variant < 4; variant++) {
        test_pair pair;
        const product *p = &products[_i];
        quantize(&pair, p, OQ_TARGET_X86_AVX2, variant);
        oq_tensor exact = run(&pair, false), saturating = run(&pair, true);
        ck_assert_msg(oq_tensor_equal(&exact, &saturating), "%s, variant %d", p->what, variant);
        ck_assert_uint_eq(test_fate(&pair, "y")->narrowed > 0, p->loses);
        oq_tensor_release(&exact);
        oq_tensor_release(&saturating);
        test_pair_release(&pair);
    }
}
END_TEST

START_TEST(other_weights_lose_much) {
    for (int variant = 0; variant < 4; variant++) {
        test_pair pair;
        const product *p = &products[_i];
        quantize(&pair, p, OQ_TARGET_ANY, variant);
        oq_tensor exact = run(&pair, false), saturating = run(&pair, true);
        double signal = 0, noise = 0;
        for (int64_t i = 0; i < oq_tensor_count(&exact); i++) {
            const double y = oq_tensor_get_f64(&exact, i), z = oq_tensor_get_f64(&saturating, i);
            signal += y * y;
            noise += (y - z) * (y - z);
        }
        ck_assert_msg(p->loses ? noise > signal / 1000 : noise == 0, "%s, variant %d: %g of %g", p->what,
                      variant, noise, signal);
        ck_assert_uint_eq(test_fate(&pair, "y")->narrowed, 0);
        oq_tensor_release(&exact);
        oq_tensor_release(&saturating);
        test_pair_release(&pair);
    }
}
END_TEST

// Neighbours of unlike signs never add up: [1, -1, 1, -1, ..] stays as it is.
START_TEST(weights_that_cannot_saturate_stay) {
    const product p = {
        "unlike signs",
        "in x float32[3,4]\nconst w float32[4,2] 1 1 -1 -1 .9 -.8 -.7 .6\ny = MatMul(x, w)\nout y", false};
    test_pair narrowed, plain;
    quantize(&narrowed, &p, OQ_TARGET_X86_AVX2, 0);
    quantize(&plain, &p, OQ_TARGET_ANY, 0);
    oq_tensor a = run(&narrowed, false), b = run(&plain, false);
    ck_assert_uint_eq(test_fate(&narrowed, "y")->narrowed, 0);
    ck_assert(oq_tensor_equal(&a, &b));
    oq_tensor_release(&a);
    oq_tensor_release(&b);
    test_pair_release(&narrowed);
    test_pair_release(&plain);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("pairs");
    TCase *tcase = tcase_create("pairs");
    tcase_add_loop_test(tcase, narrowed_weights_give_the_same_where_pairs_saturate, 0, PRODUCTS);
    tcase_add_loop_test(tcase, other_weights_lose_much, 0, PRODUCTS);
    tcase_add_test(tcase, weights_that_cannot_saturate_stay);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
