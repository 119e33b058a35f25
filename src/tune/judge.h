// The judge of changes to a plan: outputs of the emitted model on samples that no change was fitted on.
#ifndef OQ_TUNE_JUDGE_H
#define OQ_TUNE_JUDGE_H

#include "data/data.h"
#include "quant/quant.h"

// What the float model gives for the judging samples. Where an output is a Softmax (also written out in
// primitives), LogSoftmax, Sigmoid or ArgMax of something, that something is looked at: a few undecided
// samples make up most of the error behind such functions, and one sample's luck would decide. The same goes
// for what TopK and NonMaxSuppression choose from. Of a Concat, each part counts by its own power.
// Beside a few numbers, such as the logits of two classes, what the product that makes them reads counts as
// much.
typedef struct oq_judge {
    oq_mem *mem;
    oq_model *model;
    const oq_dataset *data;
    oq_pool *pool;
    size_t *samples; // [count] of the data
    size_t count;
    bool held_out;        // no change was fitted on them
    oq_value_id *outputs; // [output_count]
    size_t output_count;
    oq_value *reference; // [count][output_count]
    double *power;       // [output_count] mean of the sum of squares of a sample
} oq_judge;

// One plan's errors.
typedef struct oq_verdict {
    double *noise; // [samples] over the outputs, mean of squared error / power; block of the judge's mem
    double sqnr;   // dB, over all samples
} oq_verdict;

// `model` is the float one, prepared. At most `most` samples, those that samples.h holds out.
oq_status oq_judge_begin(oq_judge *judge, oq_model *model, const oq_dataset *data, size_t most, oq_pool *pool,
                         oq_error *err);
void oq_judge_end(oq_judge *judge);
// Runs a quantized clone of the model, whose types are inferred.
oq_status oq_judge_graph(const oq_judge *judge, oq_graph *quantized, oq_verdict *out, oq_error *err);
// Runs the model that the plan would be written as.
oq_status oq_judge_plan(const oq_judge *judge, oq_plan *plan, oq_verdict *out, oq_error *err);
void oq_verdict_release(const oq_judge *judge, oq_verdict *verdict);
// Whether `after` is better than `before`: in the mean of the samples' log ratios, which one odd sample
// hardly moves, and the log ratio of their sums, which no sample that becomes far worse escapes, taken
// together. More is not asked for: what was fitted on other samples of the data is better more often than a
// few samples can show.
bool oq_judge_prefers(const oq_judge *judge, const oq_verdict *after, const oq_verdict *before);

#endif
