// Which samples steps of tuning look at.
#include "tune/samples.h"

size_t oq_samples_choose(const oq_dataset *data, size_t most, size_t *indices) {
    const bool hold_out = oq_samples_hold_out(data);
    const size_t count = oq_dataset_count(data), held = hold_out ? count / OQ_HOLD_OUT_EVERY : 0,
                 fit = count - held, take = fit < most ? fit : most;
    for (size_t i = 0; i < take; i++) {
        const size_t at = i * fit / take; // among those that are not held out
        indices[i] = hold_out ? at + at / (OQ_HOLD_OUT_EVERY - 1) : at;
    }
    return take;
}
