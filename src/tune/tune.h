// What changes a plan by looking at data, and keeps the change only when the model's outputs get better.
#ifndef OQ_TUNE_TUNE_H
#define OQ_TUNE_TUNE_H

#include "base/progress.h"
#include "data/data.h"
#include "quant/storage.h"

typedef enum oq_rounding {
    OQ_ROUNDING_NEAREST,
    // By second moments of the inputs (round.h):
    OQ_ROUNDING_GRAM, // coordinate descent
    OQ_ROUNDING_GPTQ,
    OQ_ROUNDING_ADAROUND
} oq_rounding;

// What is done to a plan. All zero: nothing.
typedef struct oq_tuning {
    bool biases; // sequential bias correction
    oq_rounding rounding;
} oq_tuning;

static inline bool oq_tuning_any(const oq_tuning *tuning) {
    return tuning->biases || tuning->rounding != OQ_ROUNDING_NEAREST;
}

typedef struct oq_rounding_counts {
    size_t tried, kept; // layers: rounded anew, and for the better on samples that they were not rounded on
} oq_rounding_counts;

typedef struct oq_correct_options {
    oq_tuning tuning;
    const oq_quant_options *tables; // not NULL: what storing tables as these say costs is judged, too
    const oq_progress *progress;
    oq_pool *pool; // samples over threads, or NULL; the result does not depend on it
} oq_correct_options;

typedef struct oq_correction {
    size_t layers;        // whose bias was changed
    size_t samples;       // that it was fitted on
    size_t judged;        // samples that decided, held out of the fit when there are 4 or more
    double before, after; // SQNR in dB on those, mean over the outputs
    bool kept;
    oq_rounding_counts rounding;
    bool tables_judged, tables_kept;
    double tables; // SQNR in dB of tables in integers alone, as above
} oq_correction;

enum { OQ_CORRECT_JUDGES = 64 }; // the most samples that decide

// Layer by layer, with everything before it already quantized and tuned: weights are rounded anew, so that
// what the layer gives differs least from the float model, and the bias takes up the mean error of each
// output channel (Finkelstein et al. 2019; Nagel et al. 2019, section 4.2). `plan` is of `model`'s main graph
// and not yet emitted; the model is not changed. When the result is not better, weights alone are tried,
// then biases alone, and then the plan is left as it was. Tables are kept when their error at the outputs is
// a twentieth of the plan's, so that it costs .2 dB.
oq_status oq_correct_plan(oq_plan *plan, oq_model *model, const oq_dataset *data,
                          const oq_correct_options *options, oq_correction *out, oq_error *err);
// The changes alone, on samples that are not held out: nothing is judged or undone. `out`: layers, samples
// and rounding.
oq_status oq_correct_layers(oq_plan *plan, oq_graph *graph, const oq_dataset *data,
                            const oq_correct_options *options, oq_correction *out, oq_error *err);
// The same in weight-only mode, `model` being the float one that the storage was made for; biases of Conv and
// Gemm alone. Each layer's rounding stays when it is better on samples of its own, and all of them when the
// model is.
oq_status oq_correct_storage(oq_storage *storage, oq_model *model, const oq_dataset *data,
                             const oq_correct_options *options, oq_correction *out, oq_error *err);

#endif
