// Runs of whole models on seeded inputs, and comparison of what comes out: rewrites must keep it.
#ifndef OQ_TESTS_OUTPUTS_H
#define OQ_TESTS_OUTPUTS_H

#include "run/run.h"

#define TEST_MOST_OUTPUTS 8

typedef struct test_outputs {
    oq_value values[TEST_MOST_OUTPUTS];
    size_t count;
} test_outputs;

// Runs the main graph once. Inputs follow from the seed and the declared types: floats in [-1, 1), integers
// in 0..3, bools; dimensions that are not known are 2. Fails the test when it cannot be run.
void test_outputs_run(oq_model *model, uint64_t seed, test_outputs *out);
// The same for models that may not run on such inputs.
oq_status test_outputs_try(oq_model *model, uint64_t seed, test_outputs *out, oq_error *err);
// Same count, types and shapes; numbers within rtol relative (rtol * 1e-1 absolute). Fails the test, naming
// `what`.
void test_outputs_equal(const test_outputs *expected, const test_outputs *got, double rtol, const char *what);
void test_outputs_release(test_outputs *outputs);
// The graph as text; the caller releases it.
oq_text test_graph_text(const oq_model *model);

#endif
