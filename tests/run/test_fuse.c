// Integer groups: chosen from the graph alone, exact in integers, within one step of the float path.
#include "run/program.h"
#include "support/net.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Whether a step of this operator is in the plan of the main graph.
static bool runs(test_net *net, const oq_program_options *options, const char *op_type) {
    oq_error err = {0};
    oq_program *program;
    CK_OK(oq_program_new(net->graph, options, &program, &err), &err);
    bool found = false;
    for (size_t i = 0; i < program->plans[0]->step_count; i++)
        found |= strcmp(program->plans[0]->steps[i].node->op_type, op_type) == 0;
    oq_program_free(program);
    return found;
}

static oq_value_id quantize(test_net *net, const char *name, oq_value_id x, double scale, double zero) {
    char text[64];
    snprintf(text, sizeof text, "%s_scale", name);
    const oq_value_id s = test_net_scalar(net, text, ONNXQ_FLOAT, scale);
    snprintf(text, sizeof text, "%s_zero", name);
    return test_net_node(net, "QuantizeLinear", name, x, s, test_net_scalar(net, text, ONNXQ_UINT8, zero));
}

static oq_value_id dequantize(test_net *net, const char *name, const char *of, oq_value_id q) {
    char text[64];
    snprintf(text, sizeof text, "%s_scale", of);
    const oq_value_id s = oq_graph_find(net->graph, text);
    snprintf(text, sizeof text, "%s_zero", of);
    return test_net_node(net, "DequantizeLinear", name, q, s, oq_graph_find(net->graph, text));
}

// Weights int8 `shape` with one scale for each index of `axis`, no zero point.
static oq_value_id weights(test_net *net, oq_shape shape, int axis) {
    float scales[64];
    const int64_t count = shape.dim[axis];
    for (int64_t i = 0; i < count; i++) scales[i] = 0.001F * (float)(i % 5 + 1);
    const oq_value_id q = test_net_bytes(net, "w_quantized", ONNXQ_INT8, shape, 77);
    const oq_value_id s = test_net_floats(net, "w_scale", OQ_SHAPE(count), scales);
    const oq_value_id w = test_net_node(net, "DequantizeLinear", "w", q, s, OQ_NONE);
    oq_error err = {0};
    CK_OK(oq_node_set_int(net->graph, net->last, "axis", axis, &err), &err);
    return w;
}

// int32 bias [n] with the scales that the weights have, times the activation's.
static oq_value_id bias(test_net *net, int64_t n, double x_scale) {
    oq_error err = {0};
    float scales[64];
    oq_tensor tensor;
    const oq_shape shape = OQ_SHAPE(n);
    CK_OK(oq_tensor_new(&net->mem, ONNXQ_INT32, &shape, &tensor, &err), &err);
    for (int64_t i = 0; i < n; i++) {
        scales[i] = 0.001F * (float)(i % 5 + 1) * (float)x_scale;
        ((int32_t *)tensor.data)[i] = (int32_t)(i * 331 % 2000 - 1000);
    }
    const oq_value_id s = test_net_floats(net, "bias_scale", OQ_SHAPE(n), scales);
    const oq_value_id b = test_net_node(net, "DequantizeLinear", "bias",
                                        test_net_constant(net, "bias_quantized", tensor), s, OQ_NONE);
    CK_OK(oq_node_set_int(net->graph, net->last, "axis", 0, &err), &err);
    return b;
}

// Both ways on random input: every byte within one of the other, and the fused one reproducible.
static void compare_bytes(test_net *net, oq_shape shape) {
    oq_tensor x = test_net_random(net, shape, 5);
    oq_tensor fused = test_net_run(net, NULL, &x), again = test_net_run(net, NULL, &x);
    oq_tensor plain = test_net_run(net, &(oq_program_options){.plain_qdq = true}, &x);
    ck_assert(oq_tensor_equal(&fused, &again));
    ck_assert(oq_shape_equal(&fused.shape, &plain.shape));
    int64_t spread = 0;
    for (int64_t i = 0; i < oq_tensor_count(&plain); i++) {
        const int64_t a = oq_tensor_get_i64(&fused, i), b = oq_tensor_get_i64(&plain, i);
        ck_assert_int_le(llabs(a - b), 1);
        spread |= a ^ oq_tensor_get_i64(&fused, 0);
    }
    ck_assert_int_ne(spread, 0); // a constant output would prove nothing
    oq_tensor_release(&x);
    oq_tensor_release(&fused);
    oq_tensor_release(&again);
    oq_tensor_release(&plain);
}

static const oq_program_options plain_options = {.plain_qdq = true};

START_TEST(conv_with_bias_and_a_redundant_relu) {
    test_net net;
    test_net_init(&net, 21);
    const oq_shape shape = OQ_SHAPE(1, 4, 9, 9);
    const oq_value_id x = test_net_input(&net, "x", ONNXQ_FLOAT, shape);
    const oq_value_id d = dequantize(&net, "x_d", "x_q", quantize(&net, "x_q", x, 1 / 127., 121));
    const oq_value_id w = weights(&net, OQ_SHAPE(6, 4, 3, 3), 0);
    const oq_value_id y = test_net_node(&net, "Conv", "y", d, w, bias(&net, 6, 1 / 127.));
    const oq_value_id relu = test_net_node(&net, "Relu", "relu", y, OQ_NONE, OQ_NONE);
    test_net_output(&net, quantize(&net, "y_q", relu, 0.012, 0));
    ck_assert(runs(&net, NULL, "QLinearConv") && !runs(&net, NULL, "Conv") && !runs(&net, NULL, "Relu"));
    ck_assert(runs(&net, &plain_options, "Conv"));
    compare_bytes(&net, shape);
    test_net_release(&net);
}
END_TEST

START_TEST(a_relu_that_the_range_does_not_cover_is_kept) {
    test_net net;
    test_net_init(&net, 21);
    const oq_shape shape = OQ_SHAPE(2, 8);
    const oq_value_id x = test_net_input(&net, "x", ONNXQ_FLOAT, shape);
    const oq_value_id d = dequantize(&net, "x_d", "x_q", quantize(&net, "x_q", x, 1 / 127., 128));
    const oq_value_id y = test_net_node(&net, "MatMul", "y", d, weights(&net, OQ_SHAPE(8, 5), 1), OQ_NONE);
    const oq_value_id relu = test_net_node(&net, "Relu", "relu", y, OQ_NONE, OQ_NONE);
    test_net_output(&net, quantize(&net, "y_q", relu, 0.005, 3));
    ck_assert(!runs(&net, NULL, "QLinearMatMul") && runs(&net, NULL, "Relu"));
    compare_bytes(&net, shape);
    test_net_release(&net);
}
END_TEST

START_TEST(matmul_per_column) {
    test_net net;
    test_net_init(&net, 21);
    const oq_shape shape = OQ_SHAPE(2, 7, 33);
    const oq_value_id x = test_net_input(&net, "x", ONNXQ_FLOAT, shape);
    const oq_value_id d = dequantize(&net, "x_d", "x_q", quantize(&net, "x_q", x, 1 / 120., 100));
    const oq_value_id y = test_net_node(&net, "MatMul", "y", d, weights(&net, OQ_SHAPE(33, 19), 1), OQ_NONE);
    test_net_output(&net, quantize(&net, "y_q", y, 0.01, 120));
    ck_assert(runs(&net, NULL, "QLinearMatMul") && !runs(&net, NULL, "MatMul"));
    compare_bytes(&net, shape);
    test_net_release(&net);
}
END_TEST

static oq_value_id make_gemm(test_net *net, oq_shape shape, bool transposed) {
    oq_error err = {0};
    const oq_value_id x = test_net_input(net, "x", ONNXQ_FLOAT, shape);
    const oq_value_id d = dequantize(net, "x_d", "x_q", quantize(net, "x_q", x, 1 / 120., 100));
    const oq_value_id w = transposed ? weights(net, OQ_SHAPE(10, 30), 0) : weights(net, OQ_SHAPE(30, 10), 1);
    const oq_value_id y = test_net_node(net, "Gemm", "y", d, w, bias(net, 10, 1 / 120.));
    CK_OK(oq_node_set_int(net->graph, net->last, "transB", transposed, &err), &err);
    return y;
}

START_TEST(gemm_to_float_is_the_exact_sum_scaled_once) {
    for (int transposed = 0; transposed < 2; transposed++) {
        test_net net;
        test_net_init(&net, 21);
        const oq_shape shape = OQ_SHAPE(6, 30);
        test_net_output(&net, make_gemm(&net, shape, transposed));
        ck_assert(runs(&net, NULL, "MatMulInteger") && !runs(&net, NULL, "Gemm"));
        oq_tensor x = test_net_random(&net, shape, 9);
        const oq_value_id q = oq_graph_find(net.graph, "x_q");
        oq_tensor bytes = test_net_run(&net, &(oq_program_options){.outputs = &q, .output_count = 1}, &x);
        oq_tensor y = test_net_run(&net, NULL, &x), w;
        oq_error err = {0};
        const oq_gvalue *value = oq_graph_value(net.graph, oq_graph_find(net.graph, "w_quantized"));
        CK_OK(oq_constant_load(&net.mem, value->initializer, &w, &err), &err);
        for (int64_t i = 0; i < 6; i++)
            for (int64_t j = 0; j < 10; j++) {
                int32_t sum = (int32_t)(j * 331 % 2000 - 1000);
                for (int64_t k = 0; k < 30; k++)
                    sum += (int32_t)(oq_tensor_get_i64(&bytes, i * 30 + k) - 100) *
                           (int32_t)oq_tensor_get_i64(&w, transposed ? j * 30 + k : k * 10 + j);
                const float scale = (float)(1 / 120.) * (0.001F * (float)(j % 5 + 1));
                ck_assert(((const float *)y.data)[i * 10 + j] == (float)sum * scale);
            }
        oq_tensor_release(&x);
        oq_tensor_release(&bytes);
        oq_tensor_release(&y);
        oq_tensor_release(&w);
        test_net_release(&net);
    }
}
END_TEST

START_TEST(gemm_to_bytes) {
    test_net net;
    test_net_init(&net, 21);
    const oq_shape shape = OQ_SHAPE(6, 30);
    const oq_value_id y = make_gemm(&net, shape, true);
    test_net_output(&net, quantize(&net, "y_q", y, 0.01, 128));
    ck_assert(runs(&net, NULL, "MatMulInteger") && !runs(&net, NULL, "Gemm"));
    compare_bytes(&net, shape);
    test_net_release(&net);
}
END_TEST

typedef struct shown {
    size_t count;
    oq_value values[2];
} shown;

static oq_status keep(void *self, oq_value_id id, const oq_value *value, oq_error *err) {
    (void)id, (void)err;
    shown *s = self;
    s->values[s->count++] = oq_value_retain(value);
    return ONNXQ_OK;
}

// Values inside a group are computed for an observer; the group's own result stays the same.
START_TEST(observing_inside_a_group_changes_nothing) {
    test_net net;
    test_net_init(&net, 21);
    const oq_shape shape = OQ_SHAPE(2, 16);
    const oq_value_id x = test_net_input(&net, "x", ONNXQ_FLOAT, shape);
    const oq_value_id d = dequantize(&net, "x_d", "x_q", quantize(&net, "x_q", x, 1 / 120., 100));
    const oq_value_id y = test_net_node(&net, "MatMul", "y", d, weights(&net, OQ_SHAPE(16, 9), 1), OQ_NONE);
    test_net_output(&net, quantize(&net, "y_q", y, 0.01, 120));
    oq_tensor given = test_net_random(&net, shape, 4), alone = test_net_run(&net, NULL, &given);
    bool observed[64] = {0};
    observed[d] = observed[y] = true;
    oq_error err = {0};
    oq_program *program;
    oq_worker *worker;
    CK_OK(oq_program_new(net.graph, &(oq_program_options){.observed = observed}, &program, &err), &err);
    CK_OK(oq_worker_new(program, &worker, &err), &err);
    shown s = {0};
    const oq_observer observer = {.self = &s, .see = keep};
    const oq_value in = {.kind = OQ_VALUE_TENSOR, .tensor = given};
    oq_value out;
    CK_OK(oq_worker_run(worker, &in, &out, &observer, NULL, &err), &err);
    ck_assert_uint_eq(s.count, 2);
    ck_assert(oq_tensor_equal(&out.tensor, &alone));
    for (int64_t i = 0; i < 18; i++) {
        const double seen = oq_tensor_get_f64(&s.values[1].tensor, i),
                     got = (double)oq_tensor_get_i64(&alone, i);
        ck_assert(fabs(seen / (double)0.01F + 120 - got) <= 1 || got == 0 || got == 255);
    }
    oq_value_release(&s.values[0]);
    oq_value_release(&s.values[1]);
    oq_value_release(&out);
    oq_worker_free(worker);
    oq_program_free(program);
    oq_tensor_release(&alone);
    oq_tensor_release(&given);
    test_net_release(&net);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("fuse");
    TCase *tcase = tcase_create("groups");
    tcase_add_test(tcase, conv_with_bias_and_a_redundant_relu);
    tcase_add_test(tcase, a_relu_that_the_range_does_not_cover_is_kept);
    tcase_add_test(tcase, matmul_per_column);
    tcase_add_test(tcase, gemm_to_float_is_the_exact_sum_scaled_once);
    tcase_add_test(tcase, gemm_to_bytes);
    tcase_add_test(tcase, observing_inside_a_group_changes_nothing);
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}
