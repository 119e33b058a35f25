// Which samples of a data set steps of tuning look at, and which are held out of all of them to judge: by
// number, so the data set should be one by content (data.h).
#ifndef OQ_TUNE_SAMPLES_H
#define OQ_TUNE_SAMPLES_H

#include "data/data.h"

// Every fourth sample judges and is fitted on by nothing, once there are so many.
#define OQ_HOLD_OUT_EVERY 4

static inline bool oq_samples_hold_out(const oq_dataset *data) {
    return oq_dataset_count(data) >= OQ_HOLD_OUT_EVERY;
}
// Up to `most` runs that are not held out, spread over the data; returns how many.
size_t oq_samples_choose(const oq_dataset *data, size_t most, size_t *indices);

#endif
