// Moving elements without looking at them, by element size: 1, 2, 4, 8 or 16 bytes.
#ifndef OQ_OPS_LIB_MOVE_H
#define OQ_OPS_LIB_MOVE_H

#include "tensor/tensor.h"

// to[sum i_d * to_strides[d]] = from[sum i_d * from_strides[d]] for every index i below sizes[0..rank).
// Strides are in elements and may be negative; from strides may be 0 (broadcast). Contiguous runs go by
// memcpy, transpositions in tiles.
void oq_move(void *to, const int64_t *to_strides, const void *from, const int64_t *from_strides,
             size_t element, int rank, const int64_t *sizes);
// The same into a dense row-major block of shape `sizes`.
void oq_move_dense(void *to, const void *from, const int64_t *from_strides, size_t element, int rank,
                   const int64_t *sizes);
// Sets `count` elements to the one at `value`.
void oq_move_fill(void *to, size_t element, size_t count, const void *value);

#endif
