// Small graphs for tests of the rooms that run them, built by hand.
#include "support/net.h"

#include <string.h>

void test_net_init(test_net *net, int64_t opset) {
    memset(net, 0, sizeof *net);
    oq_error err = {0};
    CK_OK(oq_model_new(&net->mem, &net->model, &err), &err);
    CK_OK(oq_model_set_opset(net->model, "", opset, &err), &err);
    net->model->ir_version = 10;
    net->graph = net->model->graph;
}

void test_net_release(test_net *net) {
    oq_model_free(net->model);
    ck_assert_uint_eq(atomic_load(&net->mem.used), 0);
}

oq_value_id test_net_value(oq_graph *graph, const char *name) {
    oq_error err = {0};
    oq_value_id id = OQ_NONE;
    CK_OK(oq_graph_add_value(graph, name, &id, &err), &err);
    return id;
}

oq_value_id test_net_input(test_net *net, const char *name, oq_dtype dtype, oq_shape shape) {
    oq_error err = {0};
    const oq_value_id id = test_net_value(net->graph, name);
    oq_dim dims[OQ_MAX_RANK];
    for (int d = 0; d < shape.rank; d++)
        dims[d] = shape.dim[d] < 0 ? OQ_DIM_ANONYMOUS : oq_dim_of(shape.dim[d]);
    oq_graph_value(net->graph, id)->type = oq_type_tensor(dtype, shape.rank, dims);
    CK_OK(oq_graph_add_input(net->graph, id, &err), &err);
    return id;
}

oq_value_id test_net_constant(test_net *net, const char *name, oq_tensor tensor) {
    oq_error err = {0};
    oq_value_id id = OQ_NONE;
    CK_OK(oq_graph_add_initializer(net->graph, name, tensor, &id, &err), &err);
    return id;
}

oq_value_id test_net_floats(test_net *net, const char *name, oq_shape shape, const float *values) {
    return test_net_constant(net, name, test_tensor_f32(&net->mem, shape, values));
}

oq_value_id test_net_scalar(test_net *net, const char *name, oq_dtype dtype, double value) {
    oq_error err = {0};
    oq_tensor tensor;
    const oq_shape scalar = {0};
    CK_OK(oq_tensor_new(&net->mem, dtype, &scalar, &tensor, &err), &err);
    oq_store_f64(dtype, &value, tensor.data, 1);
    return test_net_constant(net, name, tensor);
}

// splitmix64 (Steele, Lea, Flood 2014): one number for each state.
static uint64_t next(uint64_t *state) {
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

oq_value_id test_net_bytes(test_net *net, const char *name, oq_dtype dtype, oq_shape shape, uint64_t seed) {
    oq_error err = {0};
    oq_tensor tensor;
    CK_OK(oq_tensor_new(&net->mem, dtype, &shape, &tensor, &err), &err);
    for (int64_t i = 0; i < oq_tensor_count(&tensor); i++)
        ((unsigned char *)tensor.data)[i] = (unsigned char)(next(&seed) >> 40);
    return test_net_constant(net, name, tensor);
}

oq_value_id test_net_node(test_net *net, const char *op_type, const char *output, oq_value_id a,
                          oq_value_id b, oq_value_id c) {
    oq_error err = {0};
    const oq_value_id inputs[3] = {a, b, c}, out = test_net_value(net->graph, output);
    const size_t count = c != OQ_NONE ? 3 : b != OQ_NONE ? 2 : a != OQ_NONE ? 1 : 0;
    CK_OK(oq_graph_add_node(net->graph, output, op_type, "", inputs, count, &out, 1, &net->last, &err), &err);
    return out;
}

void test_net_output(test_net *net, oq_value_id value) {
    oq_error err = {0};
    CK_OK(oq_graph_add_output(net->graph, value, &err), &err);
}

oq_tensor test_net_random(test_net *net, oq_shape shape, uint64_t seed) {
    oq_error err = {0};
    oq_tensor tensor;
    CK_OK(oq_tensor_new(&net->mem, ONNXQ_FLOAT, &shape, &tensor, &err), &err);
    for (int64_t i = 0; i < oq_tensor_count(&tensor); i++)
        ((float *)tensor.data)[i] = (float)(next(&seed) >> 40) * 0x1p-23F - 1.0F;
    return tensor;
}

oq_tensor test_net_run(test_net *net, const oq_program_options *options, const oq_tensor *input) {
    oq_error err = {0};
    oq_program *program;
    oq_worker *worker;
    CK_OK(oq_program_new(net->graph, options, &program, &err), &err);
    CK_OK(oq_worker_new(program, &worker, &err), &err);
    const oq_value in = {.kind = OQ_VALUE_TENSOR, .tensor = *input};
    oq_value out = {0};
    CK_OK(oq_worker_run(worker, &in, &out, NULL, NULL, &err), &err);
    oq_worker_free(worker);
    oq_program_free(program);
    ck_assert_int_eq(out.kind, OQ_VALUE_TENSOR);
    return out.tensor;
}
