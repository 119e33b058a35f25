// Shapes: counting with checks, axes, strides, broadcasting.
#include "tensor/shape.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int64_t oq_shape_range_count(const oq_shape *shape, int from, int to) {
    int64_t count = 1;
    for (int i = from; i < to; i++) count *= shape->dim[i];
    return count;
}

int64_t oq_shape_count(const oq_shape *shape) { return oq_shape_range_count(shape, 0, shape->rank); }

bool oq_shape_equal(const oq_shape *a, const oq_shape *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

oq_status oq_shape_check(const oq_shape *shape, size_t element_bytes, size_t *bytes, oq_error *err) {
    if (bytes) *bytes = 0;
    if (shape->rank < 0 || shape->rank > OQ_MAX_RANK)
        return oq_fail(err, ONNXQ_BAD_MODEL, "a tensor has rank %d, at most %d is supported", shape->rank,
                       OQ_MAX_RANK);
    char text[512];
    // The product over the sizes that are not 0, so that partial products fit as well: [2^62,0,2^62] is
    // refused.
    int64_t product = 1;
    bool fits = true;
    bool empty = false;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 0)
            return oq_fail(err, ONNXQ_BAD_MODEL, "the shape %s has a negative size",
                           oq_shape_format(shape, text, sizeof text));
        if (shape->dim[i] == 0)
            empty = true;
        else if (fits)
            fits = oq_mul_i64(product, shape->dim[i], &product);
    }
    size_t total = 0;
    fits = fits && (uint64_t)product <= SIZE_MAX && oq_mul_size((size_t)product, element_bytes, &total) &&
           total <= INT64_MAX;
    if (!fits)
        return oq_fail(err, ONNXQ_BAD_MODEL, "a tensor of shape %s is too large to be addressed",
                       oq_shape_format(shape, text, sizeof text));
    if (bytes) *bytes = empty ? 0 : total;
    return ONNXQ_OK;
}

bool oq_axis_normalize(int64_t axis, int rank, int *out) {
    if (axis < -(int64_t)rank || axis >= rank) return false;
    *out = (int)(axis < 0 ? axis + rank : axis);
    return true;
}

void oq_shape_strides(const oq_shape *shape, int64_t strides[OQ_MAX_RANK]) {
    int64_t stride = 1;
    for (int i = shape->rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= shape->dim[i];
    }
}

const char *oq_shape_format(const oq_shape *shape, char *buffer, size_t size) {
    if (!size) return buffer;
    size_t length = (size_t)snprintf(buffer, size, "[");
    const int rank = shape->rank > OQ_MAX_RANK ? OQ_MAX_RANK : shape->rank;
    for (int i = 0; i < rank && length < size; i++) {
        const int more =
            snprintf(buffer + length, size - length, i ? ",%" PRId64 : "%" PRId64, shape->dim[i]);
        length += more > 0 ? (size_t)more : 0;
    }
    if (length < size) snprintf(buffer + length, size - length, "]");
    return buffer;
}

oq_shape oq_shape_of(int rank, const int64_t *dims) {
    oq_shape shape = {.rank = rank};
    if (rank > 0) memcpy(shape.dim, dims, (size_t)rank * sizeof *dims);
    return shape;
}

oq_status oq_shape_broadcast(const oq_shape *a, const oq_shape *b, oq_shape *out, oq_error *err) {
    oq_shape result = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (int i = 0; i < result.rank; i++) {
        const int ia = i - (result.rank - a->rank);
        const int ib = i - (result.rank - b->rank);
        const int64_t da = ia < 0 ? 1 : a->dim[ia];
        const int64_t db = ib < 0 ? 1 : b->dim[ib];
        if (da != db && da != 1 && db != 1) {
            char one[512];
            char two[512];
            return oq_fail(err, ONNXQ_BAD_MODEL, "the shapes %.300s and %.300s do not broadcast",
                           oq_shape_format(a, one, sizeof one), oq_shape_format(b, two, sizeof two));
        }
        result.dim[i] = da == 1 ? db : da;
    }
    *out = result;
    return ONNXQ_OK;
}

void oq_broadcast_strides(const oq_shape *shape, const oq_shape *onto, int64_t strides[OQ_MAX_RANK]) {
    int64_t own[OQ_MAX_RANK];
    oq_shape_strides(shape, own);
    for (int i = 0; i < onto->rank; i++) {
        const int axis = i - (onto->rank - shape->rank);
        const bool moves = axis >= 0 && shape->dim[axis] != 1;
        strides[i] = moves ? own[axis] : 0;
    }
}
