// Verification: what a quantized model lost against its original on given samples.
#ifndef OQ_VERIFY_VERIFY_H
#define OQ_VERIFY_VERIFY_H

#include "base/progress.h"
#include "data/data.h"
#include "run/run.h"

// How far one value of the second model is from that of the first, over all samples.
typedef struct oq_difference {
    double signal, noise; // sum of y^2, sum of (y - z)^2
    double largest;       // max |y - z|; infinity when a number meets NaN
    uint64_t resized;     // samples in which sizes differ: there z counts as 0
} oq_difference;

// 10 log10(signal / noise) in dB; infinity without noise.
double oq_difference_sqnr(const oq_difference *d);

typedef struct oq_output_difference {
    const char *name; // of the graph; lives as long as the reference model
    // Computed numbers decide its size (oq_graph_varying), as of the boxes that NonMaxSuppression selects:
    // its elements do not stand for the same things in both models, and no minimum applies.
    bool varies;
    oq_difference all;
    double cosine_mean, cosine_least; // per sample
    // Float outputs with a last axis of at least 2: the largest element along it, row by row.
    bool classifies;
    uint64_t rows, same;
    double disagreement_low, disagreement_high; // Wilson interval at 95 % of the share of rows that differ
    // Outputs whose rows are probabilities: mean over the rows of KL(reference || model) in nats; else NaN.
    double divergence;
    // With labels, for the first output that gives one row a sample; else NaN.
    double accuracy_reference, accuracy_model;
} oq_output_difference;

// What one input of the Concat that makes an output has of the error.
typedef struct oq_part_difference {
    size_t output;    // index
    const char *name; // of the input; lives as long as the reference model
    oq_difference all;
} oq_part_difference;

enum { OQ_SKETCH_BINS = 16 };

// One value of the reference that the second model carries too, and the layer that makes it there: all
// between it and the common values next above.
typedef struct oq_layer_difference {
    const char *name, *op_type; // the value, and the operator that makes it in the reference; "" for an input
    const char *carrier;        // its data type in the second model
    oq_difference total;        // as it comes in the whole model
    // When the layer alone is run on the reference's values, rounded to the grids that it reads, against the
    // reference run on the same.
    oq_difference arising;
    // Least SQNR in dB of what the layer reads, as it comes in the whole model; infinity: nothing is wrong
    // yet.
    double arriving;
    double low, high; // least and greatest value in the reference; NaN without values
    // Of integers: what they can stand for (over all channels), how many stand at the ends of their type, and
    // how many of the reference's values lie more than half a step beyond these ends.
    double grid_low, grid_high;
    uint64_t elements, at_ends, cut_off;
    // How the reference's values are spread from `low` to `high`.
    uint64_t sketch[OQ_SKETCH_BINS];
} oq_layer_difference;

typedef struct oq_verify_result {
    oq_mem *mem;
    size_t samples;
    oq_output_difference *outputs;
    size_t output_count;
    oq_part_difference *parts; // in the outputs' order
    size_t part_count;
    oq_layer_difference *layers; // in the reference's order; empty unless asked for
    size_t layer_count;
} oq_verify_result;

typedef struct oq_verify_options {
    size_t limit;          // at most so many samples; 0 = all
    size_t first, stride;  // begin with this one and take every stride-th; 0 = every one
    bool layers;           // also every layer
    bool saturate_pairs;   // the second model as on x86 without VNNI (oq_program_options)
    const int64_t *labels; // one a sample, in the order of the data set, or NULL
    size_t label_count;
    const oq_progress *progress;
    oq_pool *pool; // samples over threads, or NULL
} oq_verify_options;

// Runs both graphs on every sample and compares outputs of the same name (and layers). The same figures for
// any number of threads. Memory: the activations of one sample a thread. Errors: BAD_MODEL when the outputs'
// names differ, or the shapes of one whose size does not vary.
oq_status oq_verify(oq_graph *reference, oq_graph *model, const oq_dataset *data,
                    const oq_verify_options *options, oq_verify_result *out, oq_error *err);
void oq_verify_release(oq_verify_result *result);

// ACCURACY with a sentence that names the output when a minimum is missed; a NaN minimum is not asked for.
oq_status oq_verify_judge(const oq_verify_result *result, double minimum_sqnr, double minimum_cosine,
                          double minimum_agreement, oq_error *err);

// Labels of the samples of `data` from an .npy file of integers of one dimension, in the order of its
// sources; the caller frees the block.
oq_status oq_labels_load(const oq_dataset *data, oq_mem *mem, const char *path, int64_t **labels,
                         size_t *count, oq_error *err);

#endif
