// Small graphs for tests of the rooms that run them, built by hand.
//
//     test_net net;
//     test_net_init(&net, 21);
//     oq_value_id x = test_net_input(&net, "x", ONNXQ_FLOAT, OQ_SHAPE(2, 3));
//     oq_value_id y = test_net_node(&net, "Relu", "y", x, OQ_NONE);
//     test_net_output(&net, y);
#ifndef OQ_TESTS_NET_H
#define OQ_TESTS_NET_H

#include "run/run.h"
#include "support/support.h"

typedef struct test_net {
    oq_mem mem;
    oq_model *model;
    oq_graph *graph;
    oq_node *last; // the node added last, to set attributes
} test_net;

void test_net_init(test_net *net, int64_t opset);
// Frees the model; fails the test when memory is still in use.
void test_net_release(test_net *net);
oq_value_id test_net_value(oq_graph *graph, const char *name);
oq_value_id test_net_input(test_net *net, const char *name, oq_dtype dtype, oq_shape shape);
oq_value_id test_net_constant(test_net *net, const char *name, oq_tensor tensor);
// Constants of given numbers: float32; one element (rank 0) of any type; a matrix [rows, columns] of int8 or
// uint8 of a seeded sequence over the whole type.
oq_value_id test_net_floats(test_net *net, const char *name, oq_shape shape, const float *values);
oq_value_id test_net_scalar(test_net *net, const char *name, oq_dtype dtype, double value);
oq_value_id test_net_bytes(test_net *net, const char *name, oq_dtype dtype, oq_shape shape, uint64_t seed);
// Node with up to three inputs (OQ_NONE ends them) and one new output value of that name; it is net->last.
oq_value_id test_net_node(test_net *net, const char *op_type, const char *output, oq_value_id a,
                          oq_value_id b, oq_value_id c);
void test_net_output(test_net *net, oq_value_id value);

// New float32 tensor of a seeded sequence in [-1, 1).
oq_tensor test_net_random(test_net *net, oq_shape shape, uint64_t seed);
// Prepares and runs the graph once with one input and one output; the caller releases the tensor.
oq_tensor test_net_run(test_net *net, const oq_program_options *options, const oq_tensor *input);

#endif
