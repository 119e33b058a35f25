// Calibration: runs samples through the graph and feeds the statistics, in one pass with bounded memory.
#ifndef OQ_CALIB_CALIB_H
#define OQ_CALIB_CALIB_H

#include "base/progress.h"
#include "data/data.h"
#include "run/run.h"
#include "stats/stats.h"

typedef struct oq_calibrate_options {
    const bool *observed; // [value_count] which values to observe; NULL = every float value
    const int *axis;      // [value_count] axis of statistics per channel, -1 for none; NULL = none anywhere
    const bool *levels;   // [value_count] where distinct values are counted per channel, too; NULL = nowhere
    size_t limit;         // at most so many runs; 0 = all
    const oq_progress *progress;
    oq_pool *pool; // samples over threads, or NULL
} oq_calibrate_options;

// Statistics of the graph's float values (inputs and computed ones, no constants) over the data; the same
// bits for any number of threads. Rows that only fill a fixed batch are not counted. Values that are not
// finite are counted and recorded with their sample (the index of the run), no error yet: oq_range_of makes
// it one. The hashes are the caller's to fill in.
oq_status oq_calibrate(oq_graph *graph, const oq_dataset *data, const oq_calibrate_options *options,
                       oq_stats **out, oq_error *err);

#endif
