// Shapes: known sizes at run time, row-major; broadcasting.
#ifndef OQ_TENSOR_SHAPE_H
#define OQ_TENSOR_SHAPE_H

#include "base/mem.h"

#define OQ_MAX_RANK 16

typedef struct oq_shape {
    int rank;                 // 0 = scalar
    int64_t dim[OQ_MAX_RANK]; // each >= 0
} oq_shape;

// Elements of the whole shape, or of axes [from, to). The check of overflow is oq_shape_check's.
int64_t oq_shape_count(const oq_shape *shape);
int64_t oq_shape_range_count(const oq_shape *shape, int from, int to);
bool oq_shape_equal(const oq_shape *a, const oq_shape *b);
// Rank and sizes in bounds and the product fits int64; `bytes` (may be NULL) receives count * element_bytes.
oq_status oq_shape_check(const oq_shape *shape, size_t element_bytes, size_t *bytes, oq_error *err);
// -rank <= axis < rank to 0 <= axis < rank; false when out of range.
bool oq_axis_normalize(int64_t axis, int rank, int *out);
// Row-major strides in elements.
void oq_shape_strides(const oq_shape *shape, int64_t strides[OQ_MAX_RANK]);
// "[1,3,224,224]" into `buffer`; returns it.
const char *oq_shape_format(const oq_shape *shape, char *buffer, size_t size);
oq_shape oq_shape_of(int rank, const int64_t *dims);
#define OQ_SHAPE(...)                                                                                        \
    oq_shape_of((int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})

// Multidirectional (numpy) broadcasting of a and b; an error that shows both shapes when they do not fit.
oq_status oq_shape_broadcast(const oq_shape *a, const oq_shape *b, oq_shape *out, oq_error *err);
// Strides of `shape` seen as `onto` (0 along broadcast axes). `shape` must broadcast to `onto`.
void oq_broadcast_strides(const oq_shape *shape, const oq_shape *onto, int64_t strides[OQ_MAX_RANK]);

#endif
