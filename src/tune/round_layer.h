// Data-aware rounding of the layers of a plan, one after the other on their way through the lockstep.
#ifndef OQ_TUNE_ROUND_LAYER_H
#define OQ_TUNE_ROUND_LAYER_H

#include "tune/lockstep.h"
#include "tune/tune.h"

// Rounds the weights of the part's layer anew, by what its samples give it in both streams: every fourth of
// them judges, once there are four. Of several degrees of trust in the others the one stays with the least
// error of the layer on the judges, or none when all are worse than rounding to nearest. `counts` goes on
// counting.
oq_status oq_round_layer(oq_lockstep *l, const oq_lockstep_part *part, const oq_tuning *tuning,
                         oq_rounding_counts *counts, oq_error *err);

#endif
