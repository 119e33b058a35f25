// Moments of a layer's input, gathered over the samples of a lockstep.
#ifndef OQ_TUNE_MOMENTS_H
#define OQ_TUNE_MOMENTS_H

#include "tune/gram.h"
#include "tune/lockstep.h"

typedef struct oq_moments {
    oq_lockstep *l;
    const oq_lockstep_part *part; // of `layer`
    const oq_layer *layer;
    size_t input;         // of the part: the layer's activation
    size_t groups, depth; // of the sums
    bool centred;         // see gram.h
    bool many;            // rows: where a step too far costs much
} oq_moments;

// How many of the lockstep's samples judge (one in four, once there are four) or do not.
size_t oq_moments_samples(const oq_lockstep *l, bool judging);
// Of rows that stand for all positions, the same number of each sample. Samples that judge see as many each
// as the others. The same for any number of threads.
oq_status oq_moments_gather(const oq_moments *m, bool judging, oq_gram *gram, oq_error *err);

#endif
