// What changes a plan by looking at data, and keeps the change only when the model's outputs get better.
#ifndef OQ_TUNE_TUNE_H
#define OQ_TUNE_TUNE_H

#include "base/progress.h"
#include "data/data.h"
#include "quant/quant.h"

typedef struct oq_correct_options {
    const oq_progress *progress;
    oq_pool *pool; // samples over threads, or NULL; the result does not depend on it
} oq_correct_options;

typedef struct oq_correction {
    size_t layers;        // whose bias was changed
    size_t samples;       // that it was fitted on
    size_t judged;        // samples that decided, held out of the fit when there are 4 or more
    double before, after; // SQNR in dB on those, mean over the outputs
    bool kept;
} oq_correction;

// Sequential bias correction: layer by layer, with everything before it already quantized and corrected, the
// bias takes up the mean error of each output channel (Finkelstein et al. 2019; Nagel et al. 2019, section
// 4.2). `plan` is of `model`'s main graph and not yet emitted; the model is not changed. When the result is
// not better, the plan is left as it was.
oq_status oq_correct_plan(oq_plan *plan, oq_model *model, const oq_dataset *data,
                          const oq_correct_options *options, oq_correction *out, oq_error *err);

#endif
