// One product on its way through the lockstep.
#ifndef OQ_TUNE_VISIT_H
#define OQ_TUNE_VISIT_H

#include "tune/lockstep.h"

// Samples [from, from + count) in both streams through the layer of a part as the plan has it now: its
// product, with what the plan has changed of the bias, its clip, and what its grid leaves of that, into the
// frontier. What the samples need no more is given up.
oq_status oq_lockstep_visit(oq_lockstep *l, const oq_lockstep_part *part, size_t from, size_t count,
                            oq_error *err);

#endif
