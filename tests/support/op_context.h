// A run context without an executor: one node, its inputs, its outputs, so that a kernel can be tested alone.
//
//     test_op op;
//     test_op_init(&op, "LeakyRelu", 16);          // of ai.onnx; test_op_init_domain for others
//     test_op_float(&op, "alpha", 0.1f);
//     test_op_input(&op, test_op_tensor(&op, ONNXQ_FLOAT, OQ_SHAPE(3), (double[]){-1, 0, 1}));
//     test_op_run(&op, 1);                         // fails the test on an error; test_op_try returns the
//     status
//     ... test_op_output(&op, 0) ...
//     test_op_release(&op);
#ifndef OQ_TESTS_OP_CONTEXT_H
#define OQ_TESTS_OP_CONTEXT_H

#include "ops/ops.h"
#include "support/support.h"

#define TEST_OP_MAX 16 // inputs, outputs, attributes, scratch blocks

typedef struct test_op {
    oq_mem mem;
    oq_arena arena;
    oq_node node;
    oq_attr attrs[TEST_OP_MAX];
    oq_value_id ids[TEST_OP_MAX];
    oq_value inputs[TEST_OP_MAX];
    const oq_value *in[TEST_OP_MAX];
    bool dies[TEST_OP_MAX]; // all false; set by a test to try reuse of an input's memory
    oq_value outputs[TEST_OP_MAX];
    bool wanted[TEST_OP_MAX];
    void *scratch[64];
    size_t scratch_count;
    const oq_op_version *version;
    oq_run_context context;
    oq_pool *pool; // NULL unless a test sets one
    oq_error err;  // of the last run
} test_op;

// A node of `op_type` in the version that holds at `opset`; the test fails when there is none.
void test_op_init(test_op *op, const char *op_type, int64_t opset);
void test_op_init_domain(test_op *op, const char *domain, const char *op_type, int64_t opset);
// Gives everything back, and fails the test when memory of the kernel is still in use.
void test_op_release(test_op *op);

void test_op_int(test_op *op, const char *name, int64_t value);
void test_op_float(test_op *op, const char *name, float value);
void test_op_string(test_op *op, const char *name, const char *text);
void test_op_ints(test_op *op, const char *name, const int64_t *values, size_t count);
void test_op_floats(test_op *op, const char *name, const float *values, size_t count);
void test_op_strings(test_op *op, const char *name, const char *const *texts, size_t count);
void test_op_tensor_attr(test_op *op, const char *name, oq_tensor tensor); // takes the reference over

// The next input; the reference is taken over. test_op_skip leaves one out.
void test_op_input(test_op *op, oq_tensor tensor);
void test_op_input_value(test_op *op, oq_value value);
void test_op_skip(test_op *op);

// New tensors in op->mem: from numbers (converted to `dtype`), from raw memory, from texts, and filled from a
// seeded sequence of values in [low, high).
oq_tensor test_op_tensor(test_op *op, oq_dtype dtype, oq_shape shape, const double *values);
oq_tensor test_op_tensor_raw(test_op *op, oq_dtype dtype, oq_shape shape, const void *bytes);
oq_tensor test_op_tensor_strings(test_op *op, oq_shape shape, const char *const *texts);
oq_tensor test_op_random(test_op *op, oq_dtype dtype, oq_shape shape, uint64_t seed, double low, double high);

// Runs prepare and run; outputs of an earlier run are given back first.
oq_status test_op_try(test_op *op, size_t output_count);
void test_op_run(test_op *op, size_t output_count);
// Output `index` as a tensor; the test fails when it is none.
const oq_tensor *test_op_output(test_op *op, size_t index);
// Fails unless output `index` has this dtype and shape, and each element is within tolerance of `values`
// (NaN equals NaN, infinities equal themselves).
void test_op_expect(test_op *op, size_t index, oq_dtype dtype, oq_shape shape, const double *values,
                    double tolerance);

#endif
