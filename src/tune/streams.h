// A layer's activation in both streams, as rows of patches are taken from it.
#ifndef OQ_TUNE_STREAMS_H
#define OQ_TUNE_STREAMS_H

#include "tune/lockstep.h"
#include "tune/patches.h"

typedef struct oq_streams {
    oq_patches patches;
    oq_value value[OQ_STREAMS]; // references
    oq_patches_source from[OQ_STREAMS];
    float table[256];
} oq_streams;

// Which of the part's inputs is the activation of its layer; false when none is.
bool oq_streams_find(const oq_lockstep *l, const oq_lockstep_part *part, size_t *input);
// Close also after a failure, and when nothing was opened; `out` is all zero before.
oq_status oq_streams_open(const oq_lockstep *l, const oq_lockstep_part *part, size_t input, size_t sample,
                          oq_streams *out, oq_error *err);
void oq_streams_close(oq_streams *streams);

#endif
