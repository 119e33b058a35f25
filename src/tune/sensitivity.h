// Sensitivity: what each layer costs at the model's outputs when it alone is quantized.
#ifndef OQ_TUNE_SENSITIVITY_H
#define OQ_TUNE_SENSITIVITY_H

#include "tune/quantize.h"

typedef struct oq_layer_loss {
    oq_node_id node; // of the quantization's model
    uint64_t macs;
    // What ranks layers: over the outputs, the sum of the mean divergence in nats where an output's rows are
    // probabilities, of noise / signal elsewhere.
    double loss;
    double divergence; // mean over outputs that are probabilities, NaN when there are none
    double sqnr;       // dB, the least of all outputs
    double agreement;  // the least of all outputs that classify, NaN when there are none
} oq_layer_loss;

typedef struct oq_sensitivity {
    oq_mem *mem;
    oq_layer_loss *layers; // [count] the greatest loss first
    size_t count, samples;
    double passes; // multiply-accumulates spent on a sample, in runs of the whole model
} oq_sensitivity;

typedef struct oq_sensitivity_options {
    size_t limit; // at most so many samples; 0: 32
    const oq_progress *progress;
    oq_pool *pool; // samples over threads, or NULL; the result does not depend on it
} oq_sensitivity_options;

// Every layer that q's plan quantizes, weights and operands and result, on samples that are not held out (see
// samples.h). A sample runs once through the float graph; then, for each layer, the quantized layer alone
// runs on the values kept of that, and behind it only what depends on its result. Memory: the activations of
// one sample and the quantized weights of a bounded number of layers.
oq_status oq_sensitivity_measure(const oq_quantization *q, const oq_dataset *data,
                                 const oq_sensitivity_options *options, oq_sensitivity *out, oq_error *err);
void oq_sensitivity_release(oq_sensitivity *sensitivity);

#endif
