// Writing updates to places of a copy: Scatter, ScatterElements, ScatterND.
#ifndef OQ_OPS_LIB_SCATTER_H
#define OQ_OPS_LIB_SCATTER_H

#include "ops/lib/lists.h"
#include "ops/lib/mover.h"

typedef enum oq_scatter_reduction {
    OQ_SCATTER_NONE,
    OQ_SCATTER_ADD,
    OQ_SCATTER_MUL,
    OQ_SCATTER_MAX,
    OQ_SCATTER_MIN,
    OQ_SCATTER_REDUCTIONS
} oq_scatter_reduction;

// Attribute "reduction"; NONE when it is not there.
oq_status oq_scatter_reduction_of(const oq_node *node, oq_scatter_reduction *out, oq_error *err);
// For runs of `run` elements: to[offsets[k] ..] = reduction(to[..], updates[k * run ..]) for k = 0, 1, ... in
// this order, in the working type of `dtype` with each result rounded.
oq_status oq_scatter(oq_run_context *context, oq_dtype dtype, const oq_mover *m, const unsigned char *updates,
                     const int64_t *offsets, size_t count, size_t run, oq_scatter_reduction reduction,
                     oq_error *err);
// The whole kernel of Scatter and ScatterElements.
oq_status oq_run_scatter_elements(oq_run_context *context, oq_error *err);

#endif
