// Index walks of the gather and scatter families.
#ifndef OQ_OPS_LIB_GATHER_H
#define OQ_OPS_LIB_GATHER_H

#include "ops/lib/lists.h"

// Every index in [-size, size), or an error that names the first one outside.
oq_status oq_check_indices(const oq_run_context *context, const int64_t *indices, size_t count, int64_t size,
                           oq_error *err);
oq_status oq_check_rank(const oq_run_context *context, int rank, oq_error *err);

// GatherElements and ScatterElements: for every element of an indices tensor of shape `at`, in row-major
// order, the offset in elements of the place in a tensor of shape `data` that agrees with it but for `axis`,
// where the index stands. `offsets` has room for all of them.
oq_status oq_element_offsets(const oq_run_context *context, const oq_shape *data, const oq_shape *at,
                             int axis, const int64_t *indices, int64_t *offsets, oq_error *err);

// GatherND and ScatterND: `rows` index tuples of `width` each to offsets of slices of `data` behind `batch`
// leading axes; tuples_per_batch of them belong to each batch.
oq_status oq_tuple_offsets(const oq_run_context *context, const oq_shape *data, int batch,
                           const int64_t *tuples, int64_t rows, int64_t width, int64_t tuples_per_batch,
                           int64_t *offsets, oq_error *err);

#endif
