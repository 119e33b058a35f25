// Calibration: runs samples through the graph and feeds the statistics, in one pass with bounded memory.
#ifndef OQ_CALIB_CALIB_H
#define OQ_CALIB_CALIB_H

#include "base/progress.h"
#include "data/data.h"
#include "run/run.h"
#include "stats/stats.h"

typedef struct oq_calibrate_options {
    const bool *observed; // [value_count] which values to observe; NULL = every float value
    size_t limit;         // at most so many samples; 0 = all
    const oq_progress *progress;
    oq_pool *pool; // samples over threads, or NULL
} oq_calibrate_options;

// Statistics of the graph's float values over the data; the same bits for any number of threads.
oq_status oq_calibrate(oq_graph *graph, const oq_dataset *data, const oq_calibrate_options *options,
                       oq_stats **out, oq_error *err);

#endif
