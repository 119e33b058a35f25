// Sweeps: one model at several widths, each made from the same statistics and compared with the float model.
#ifndef OQ_TUNE_SWEEP_H
#define OQ_TUNE_SWEEP_H

#include "tune/quantize.h"

typedef struct oq_sweep_width {
    int weight_bits, activation_bits; // of activations: 0 in weight-only mode
} oq_sweep_width;

typedef struct oq_sweep_options {
    const oq_sweep_width *widths;
    size_t width_count;
    const oq_dataset *judges; // what is compared; NULL: the samples of the data that are held out (samples.h)
    const int64_t *labels;    // one a sample of the judges, or NULL
    size_t label_count;
    const char *folder; // where each model is written as w8a8.onnx (weight-only: w8.onnx), or NULL
    size_t limit;       // compare at most so many samples; 0: all
    oq_tuning tuning;   // of every plan
    const oq_progress *progress;
    oq_pool *pool;
} oq_sweep_options;

typedef struct oq_sweep_point {
    oq_sweep_width width;
    char *obstacle; // block of mem: why there is no such model, and nothing below holds; NULL: there is one
    uint64_t bytes; // of the file, with external data
    oq_plan_summary plan;
    // The least of the outputs; NaN where none classifies, and without labels.
    double sqnr, cosine, agreement, accuracy;
} oq_sweep_point;

typedef struct oq_sweep {
    oq_mem *mem;
    uint64_t bytes;  // of the float model
    double accuracy; // of the float model, or NaN
    size_t samples;  // that were compared
    bool held_out;
    oq_sweep_point *points; // [count] as asked
    size_t count;
} oq_sweep;

// What stays the same for all widths: the float model as it was read, prepared (unchanged afterwards), and
// statistics of that (in weight-only mode NULL when samples are not to be looked at).
typedef struct oq_sweep_source {
    oq_model *original;
    oq_model *prepared;
    const oq_stats *stats;
    const oq_dataset *data;        // to correct biases on, and to judge
    const oq_quant_options *quant; // whose two widths do not matter
} oq_sweep_source;

// A width that rules, format or opset refuse becomes a point with an obstacle; when all are refused, the
// first refusal is the error. Memory: one quantized model at a time.
oq_status oq_sweep_measure(const oq_sweep_source *source, const oq_sweep_options *options, oq_sweep *out,
                           oq_error *err);
void oq_sweep_release(oq_sweep *sweep);

#endif
