// Cutting a tensor along one axis: Split, SplitToSequence, SequenceAt-like parts, Scan.
#ifndef OQ_OPS_LIB_SPLIT_H
#define OQ_OPS_LIB_SPLIT_H

#include "ops/lib/lists.h"

// Checks the given sizes of `count` parts against an axis of `size` (-1: unknown) and copies them.
oq_status oq_split_given(const int64_t *given, size_t given_count, size_t count, int64_t size, int64_t *sizes,
                         oq_error *err);
// Equal parts; where `smaller_last` the last one takes what remains, otherwise `size` must divide.
oq_status oq_split_equal(const oq_node *node, size_t count, int64_t size, bool smaller_last, int64_t *sizes,
                         oq_error *err);
// Output `out` = data[.., from : from + size, ..] along `axis`, copied.
oq_status oq_out_part(oq_run_context *context, size_t out, const oq_tensor *data, int axis, int64_t from,
                      int64_t size, oq_error *err);

#endif
