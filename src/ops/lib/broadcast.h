// Walking over broadcast operands: axes collapsed first, then rows in which every operand steps by 0 or 1.
#ifndef OQ_OPS_LIB_BROADCAST_H
#define OQ_OPS_LIB_BROADCAST_H

#include "ops/lib/work.h"

#define OQ_BROADCAST_MAX   3  // operands of one plan
#define OQ_BROADCAST_SHORT 32 // rows shorter than this are gathered into blocks instead

typedef struct oq_broadcast {
    size_t count, row; // elements of the output, of one row (the last collapsed axis)
    int rank;          // collapsed axes, at least 1
    int operands;
    size_t dim[OQ_MAX_RANK];
    size_t stride[OQ_BROADCAST_MAX][OQ_MAX_RANK]; // in elements; 0 along broadcast axes
    size_t step[OQ_BROADCAST_MAX];                // inside a row: 0 or 1
    bool whole[OQ_BROADCAST_MAX];                 // the operand has exactly the output's elements
} oq_broadcast;

// `out` must be what the shapes of the operands broadcast to (or larger).
void oq_broadcast_plan(oq_broadcast *plan, const oq_shape *out, const oq_shape *const *operands, int count);
// True when the rows are too short to be worth a call each.
static inline bool oq_broadcast_is_short(const oq_broadcast *plan) {
    return plan->row < OQ_BROADCAST_SHORT && plan->count > plan->row;
}

// Position in a plan: the elements [at, at + run) of the output lie in one row; operand k begins at
// offset[k].
typedef struct oq_broadcast_walk {
    const oq_broadcast *plan;
    size_t at, end, run;
    size_t index[OQ_MAX_RANK];
    size_t offset[OQ_BROADCAST_MAX];
} oq_broadcast_walk;

// for (oq_broadcast_begin(&walk, &plan, from, to); walk.run; oq_broadcast_next(&walk)) ...
void oq_broadcast_begin(oq_broadcast_walk *walk, const oq_broadcast *plan, size_t from, size_t to);
void oq_broadcast_next(oq_broadcast_walk *walk);

// The `n` elements that operand k contributes to the outputs from `at` on, side by side: a pointer into
// `data` when they are so already, else into `buffer`.
const void *oq_broadcast_gather(const oq_broadcast *plan, int k, const void *data, size_t element_bytes,
                                size_t at, size_t n, void *buffer);

#endif
