// Joining tensors along one axis: Concat, ConcatFromSequence.
#ifndef OQ_OPS_LIB_CONCAT_H
#define OQ_OPS_LIB_CONCAT_H

#include "ops/lib/lists.h"

// Output `out` = the parts behind each other along `axis`; other sizes must agree.
oq_status oq_concat(oq_run_context *context, size_t out, const oq_tensor *const *parts, size_t count,
                    int axis, oq_error *err);
// Output `out` = the parts, all of one shape, along a new `axis`.
oq_status oq_stack(oq_run_context *context, size_t out, const oq_tensor *const *parts, size_t count, int axis,
                   oq_error *err);
// The type of output 0 of a Concat whose parts are the inputs `first`, `first + step`, ..
oq_status oq_concat_infer(oq_infer_context *context, size_t first, size_t step, int64_t axis, oq_error *err);

#endif
