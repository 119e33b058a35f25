// Budgets: the layers that must get 16 bits or stay float so that the outputs keep what was asked for.
#ifndef OQ_TUNE_BUDGET_H
#define OQ_TUNE_BUDGET_H

#include "tune/sensitivity.h"

typedef enum oq_metric {
    OQ_METRIC_NONE,
    OQ_METRIC_SQNR,      // dB, the least of the outputs
    OQ_METRIC_COSINE,    // mean over the samples, the least of the outputs
    OQ_METRIC_AGREEMENT, // share of rows with the same top class, the least of the outputs that classify
    OQ_METRIC_ACCURACY   // points of accuracy lost, with labels; here less is better
} oq_metric;

typedef struct oq_budget_options {
    oq_metric metric;
    double value;          // that must be reached, or (accuracy) not exceeded
    const int64_t *labels; // one a sample of the data, for OQ_METRIC_ACCURACY
    size_t label_count;
    bool never_wide;  // layers go to float at once, not to 16 bits first
    oq_tuning tuning; // of every plan
    const oq_progress *progress;
    oq_pool *pool;
} oq_budget_options;

typedef struct oq_budget {
    oq_mem *mem;
    bool met;
    double before, after;    // the metric with all layers quantized, and as it is now
    size_t samples;          // that judged: the held-out ones (samples.h), at most 256
    size_t plans;            // that were judged
    bool wide;               // the reverted layers have 16 bits; false: they are float
    oq_layer_loss *reverted; // [reverted_count] the costliest first
    size_t reverted_count;
    oq_node_override *overrides; // q->quant.overrides point here while this lives
} oq_budget;

// Plans with as few multiply-accumulates reverted as it finds. When all layers quantized do not keep the
// budget, layers are ranked by loss per multiply-accumulate and bisection finds how many of the first must be
// reverted; then as many of the least loss among them as possible are given back. In Q/DQ files, whose 16-bit
// types come with opset 21, layers are reverted to 16 bits, weights and activations; where that does not keep
// the budget, and in integer operators, to float. Every step is judged by the emitted model. `plan` is the
// last one that kept the budget, or (met false) the best that was judged: at least one layer stays quantized.
// The caller frees the plan.
oq_status oq_budget_meet(oq_quantization *q, const oq_dataset *data, const oq_budget_options *options,
                         oq_plan **plan, oq_correction *correction, oq_budget *out, oq_error *err);
void oq_budget_release(oq_budget *budget);

// "sqnr", "cos", "agree", "accuracy".
const char *oq_metric_name(oq_metric metric);

#endif
