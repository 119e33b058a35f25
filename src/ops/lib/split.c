// Cutting a tensor along one axis.
#include "ops/lib/split.h"
#include "ops/lib/mover.h"

oq_status oq_split_given(const int64_t *given, size_t given_count, size_t count, int64_t size, int64_t *sizes,
                         oq_error *err) {
    if (given_count != count)
        return oq_fail(err, ONNXQ_BAD_MODEL, "split into %zu sizes, but there are %zu parts", given_count,
                       count);
    int64_t sum = 0;
    for (size_t k = 0; k < count; ++k) {
        if (given[k] < 0 || !oq_add_i64(sum, given[k], &sum))
            return oq_fail(err, ONNXQ_BAD_MODEL, "split part %zu has size %lld", k, (long long)given[k]);
        sizes[k] = given[k];
    }
    if (size >= 0 && sum != size)
        return oq_fail(err, ONNXQ_BAD_MODEL, "split sizes add up to %lld, but the axis has %lld",
                       (long long)sum, (long long)size);
    return ONNXQ_OK;
}

oq_status oq_split_equal(const oq_node *node, size_t count, int64_t size, bool smaller_last, int64_t *sizes,
                         oq_error *err) {
    const int64_t parts = oq_node_int(node, "num_outputs", (int64_t)count);
    if (!count || parts != (int64_t)count)
        return oq_fail(err, ONNXQ_BAD_MODEL, "split into %lld parts, but the node has %zu outputs",
                       (long long)parts, count);
    if (size % parts && !smaller_last)
        return oq_fail(err, ONNXQ_BAD_MODEL, "an axis of %lld does not split into %lld equal parts",
                       (long long)size, (long long)parts);
    const int64_t part = size / parts + (size % parts != 0);
    if (part * (parts - 1) > size)
        return oq_fail(err, ONNXQ_BAD_MODEL, "an axis of %lld is too short for %lld parts of %lld",
                       (long long)size, (long long)parts, (long long)part);
    for (size_t k = 0; k < count; ++k) sizes[k] = part;
    sizes[count - 1] = size - part * (parts - 1);
    return ONNXQ_OK;
}

oq_status oq_out_part(oq_run_context *context, size_t out, const oq_tensor *data, int axis, int64_t from,
                      int64_t size, oq_error *err) {
    int64_t strides[OQ_MAX_RANK];
    oq_shape shape = data->shape;
    shape.dim[axis] = size;
    oq_shape_strides(&data->shape, strides);
    oq_mover m;
    OQ_TRY(oq_mover_open(&m, context, out, &shape, &data, 1, err));
    oq_move_dense(m.to, m.from[0] + (size_t)(from * strides[axis]) * m.element, strides, m.element,
                  shape.rank, shape.dim);
    return oq_mover_close(&m, err);
}
