// Sparse tensors made dense.
#include "ops/lib/sparse.h"

#include <string.h>

static oq_status place(const oq_sparse *sparse, const oq_tensor *indices, int64_t k, int64_t *offset,
                       oq_error *err) {
    const bool linear = indices->shape.rank == 1;
    const int width = linear ? 1 : sparse->shape.rank;
    *offset = 0;
    for (int d = 0; d < width; ++d) {
        const int64_t index = oq_tensor_get_i64(indices, k * width + d);
        const int64_t size = linear ? oq_shape_count(&sparse->shape) : sparse->shape.dim[d];
        if (index < 0 || index >= size)
            return oq_fail(err, ONNXQ_BAD_MODEL,
                           "index %lld of a sparse tensor is out of range for size %lld", (long long)index,
                           (long long)size);
        *offset = *offset * size + index;
    }
    return ONNXQ_OK;
}

oq_status oq_sparse_load(oq_mem *mem, const oq_sparse *sparse, oq_tensor *out, oq_error *err) {
    oq_status status;
    oq_tensor values = {0}, indices = {0};
    *out = (oq_tensor){0};
    OQ_TRY_DONE(oq_constant_load(mem, sparse->values, &values, err));
    OQ_TRY_DONE(oq_constant_load(mem, sparse->indices, &indices, err));
    const size_t element = oq_dtype_bytes(values.dtype);
    const int64_t count = oq_tensor_count(&values);
    const int width = indices.shape.rank == 2 ? sparse->shape.rank : 1;
    if (!element || indices.dtype != ONNXQ_INT64 || oq_tensor_count(&indices) != count * width) {
        status = oq_fail(err, ONNXQ_BAD_MODEL, "sparse tensor '%s' has indices that do not fit its values",
                         sparse->values->name);
        goto done;
    }
    OQ_TRY_DONE(oq_tensor_new(mem, values.dtype, &sparse->shape, out, err));
    memset(out->data, 0, oq_tensor_bytes(out));
    for (int64_t k = 0; k < count; ++k) {
        int64_t offset;
        OQ_TRY_DONE(place(sparse, &indices, k, &offset, err));
        memcpy((char *)out->data + (size_t)offset * element, (const char *)values.data + (size_t)k * element,
               element);
    }
done:
    oq_tensor_release(&values);
    oq_tensor_release(&indices);
    if (status != ONNXQ_OK) oq_tensor_release(out);
    return status;
}
