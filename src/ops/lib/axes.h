// A set of axes of a shape, as reductions and their relatives read it from a node.
#ifndef OQ_OPS_LIB_AXES_H
#define OQ_OPS_LIB_AXES_H

#include "ops/lib/work.h"

// Marks the axes that a reduction goes over: those of input 1 (int64), else of the attribute axes, else all,
// or none with noop_with_empty_axes.
oq_status oq_axes_read(const oq_run_context *context, int rank, bool marked[OQ_MAX_RANK], oq_error *err);
// The shape without the marked axes (or with size 1 there when `keepdims`).
oq_shape oq_axes_reduce(const oq_shape *shape, const bool marked[OQ_MAX_RANK], bool keepdims);

// An axis in [-rank, rank) as [0, rank), or an error that names the operator.
oq_status oq_axis_of(const oq_run_context *context, int64_t axis, int rank, int *out, oq_error *err);

// A shape as [outer, axis, inner] around one axis.
typedef struct oq_axis_view {
    size_t outer, axis, inner;
} oq_axis_view;
oq_axis_view oq_axis_view_of(const oq_shape *shape, int axis);

#endif
