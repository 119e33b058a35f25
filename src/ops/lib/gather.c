// Index walks of the gather and scatter families.
#include "ops/lib/gather.h"

static oq_status outside(const oq_run_context *context, int64_t index, int64_t size, oq_error *err) {
    return oq_fail(err, ONNXQ_BAD_DATA, "index %lld of %s is out of range for size %lld", (long long)index,
                   context->node->op_type, (long long)size);
}

oq_status oq_check_indices(const oq_run_context *context, const int64_t *indices, size_t count, int64_t size,
                           oq_error *err) {
    for (size_t k = 0; k < count; ++k)
        if (indices[k] < -size || indices[k] >= size) return outside(context, indices[k], size, err);
    return ONNXQ_OK;
}

oq_status oq_check_rank(const oq_run_context *context, int rank, oq_error *err) {
    if (rank >= 0 && rank <= OQ_MAX_RANK) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_UNSUPPORTED, "output of %s would have rank %d, at most %d are supported",
                   context->node->op_type, rank, OQ_MAX_RANK);
}

oq_status oq_element_offsets(const oq_run_context *context, const oq_shape *data, const oq_shape *at,
                             int axis, const int64_t *indices, int64_t *offsets, oq_error *err) {
    if (at->rank != data->rank)
        return oq_fail(err, ONNXQ_BAD_MODEL, "indices of %s have rank %d, the data have %d",
                       context->node->op_type, at->rank, data->rank);
    for (int d = 0; d < data->rank; ++d)
        if (d != axis && at->dim[d] > data->dim[d])
            return oq_fail(err, ONNXQ_BAD_MODEL,
                           "indices of %s have size %lld on axis %d, the data only %lld",
                           context->node->op_type, (long long)at->dim[d], d, (long long)data->dim[d]);
    int64_t strides[OQ_MAX_RANK], index[OQ_MAX_RANK] = {0}, base = 0;
    oq_shape_strides(data, strides);
    const int64_t count = oq_shape_count(at), size = data->dim[axis], along = strides[axis];
    strides[axis] = 0; // the index takes its place
    for (int64_t k = 0; k < count; ++k) {
        int64_t pick;
        if (!oq_index(indices[k], size, &pick)) return outside(context, indices[k], size, err);
        offsets[k] = base + pick * along;
        for (int d = at->rank - 1; d >= 0; --d) {
            base += strides[d];
            if (++index[d] < at->dim[d]) break;
            base -= strides[d] * at->dim[d];
            index[d] = 0;
        }
    }
    return ONNXQ_OK;
}

oq_status oq_tuple_offsets(const oq_run_context *context, const oq_shape *data, int batch,
                           const int64_t *tuples, int64_t rows, int64_t width, int64_t tuples_per_batch,
                           int64_t *offsets, oq_error *err) {
    int64_t strides[OQ_MAX_RANK];
    oq_shape_strides(data, strides);
    const int64_t batch_stride = oq_shape_range_count(data, batch, data->rank);
    for (int64_t r = 0; r < rows; ++r) {
        int64_t offset = r / tuples_per_batch * batch_stride;
        for (int64_t k = 0; k < width; ++k) {
            const int64_t size = data->dim[batch + k];
            int64_t pick;
            if (!oq_index(tuples[r * width + k], size, &pick))
                return outside(context, tuples[r * width + k], size, err);
            offset += pick * strides[batch + k];
        }
        offsets[r] = offset;
    }
    return ONNXQ_OK;
}
