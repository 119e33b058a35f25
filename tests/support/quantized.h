// A float graph from text, its quantized twin, and how far their outputs are apart on random samples.
#ifndef OQ_TESTS_QUANTIZED_H
#define OQ_TESTS_QUANTIZED_H

#include "quant/quant.h"
#include "support/graphs.h"

typedef struct test_pair {
    oq_mem mem;
    oq_model *original, *model; // model: quantized after test_emit
    oq_stats *stats;
    oq_plan *plan;
    size_t samples;
    float low, high; // of random inputs; -1, 1
} test_pair;

// Builds both from the text (see graphs.h), infers types. Inputs must be float32 with known sizes.
void test_pair_init(test_pair *pair, int64_t opset, const char *text);
// Sets the range of a value by hand, as calibration would have found it.
void test_pair_range(test_pair *pair, const char *value, float min, float max);
// Before calibration: statistics of this value are kept per channel along an axis, and as a histogram.
void test_pair_channels(test_pair *pair, const char *value, int axis);
// Runs the original on the samples and takes the ranges of all float values.
void test_pair_calibrate(test_pair *pair);
// Regions, plan; fails the test on an error.
void test_pair_plan(test_pair *pair, const oq_quant_options *options);
// Writes the plan into `model` and checks the result against structure and schemas.
void test_pair_emit(test_pair *pair);
// calibrate, plan, emit.
void test_pair_quantize(test_pair *pair, int64_t opset, const char *text, const oq_quant_options *options);
// SQNR in dB over all outputs and samples of model against original; 999 when equal.
double test_pair_sqnr(test_pair *pair);
void test_pair_release(test_pair *pair); // also checks that all memory was given back

const oq_node_plan *test_fate(const test_pair *pair,
                              const char *output); // of the original node that makes `output`
const oq_tensor_plan *test_tensor_plan(const test_pair *pair, const char *value);

#endif
