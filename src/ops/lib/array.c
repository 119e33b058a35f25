// Whole tensors as arrays of their working type.
#include "ops/lib/array.h"

#include <string.h>

static bool is_native_of(oq_dtype dtype, oq_work_type work) {
    return oq_work_is_native(dtype) && oq_dtype_info(dtype)->work == work;
}

oq_status oq_scratch_array(oq_run_context *context, size_t count, size_t size, void **out, oq_error *err) {
    size_t bytes = 0;
    if (!oq_mul_size(count, size, &bytes)) {
        return oq_fail(err, ONNXQ_NO_MEMORY, "scratch of %zu elements of %zu bytes does not fit in memory",
                       count, size);
    }
    *out = oq_scratch(context, bytes, err);
    return *out ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

oq_status oq_array_in(oq_run_context *context, const oq_tensor *tensor, oq_work_type work, const void **out,
                      oq_error *err) {
    if (is_native_of(tensor->dtype, work)) {
        *out = tensor->data;
        return ONNXQ_OK;
    }
    const size_t count = (size_t)oq_tensor_count(tensor);
    void *copy = NULL;
    OQ_TRY(oq_scratch_array(context, count, oq_work_bytes(work), &copy, err));
    oq_work_load_as(work, tensor->dtype, tensor->data, copy, count);
    *out = copy;
    return ONNXQ_OK;
}

void oq_array_gather(const void *from, const int64_t *strides, const oq_shape *onto, size_t size,
                     void *into) {
    int64_t index[OQ_MAX_RANK] = {0};
    const int64_t count = oq_shape_count(onto);
    int64_t offset = 0;
    for (int64_t i = 0; i < count; i++) {
        memcpy(oq_at_mutable(into, (size_t)i, size), oq_at(from, (size_t)offset, size), size);
        for (int axis = onto->rank - 1; axis >= 0; axis--) {
            offset += strides[axis];
            if (++index[axis] < onto->dim[axis]) break;
            offset -= strides[axis] * onto->dim[axis];
            index[axis] = 0;
        }
    }
}

oq_status oq_array_expand(oq_run_context *context, const oq_tensor *tensor, const oq_shape *onto,
                          oq_work_type work, const void **out, oq_error *err) {
    const void *values = NULL;
    void *expanded = NULL;
    oq_shape shape;
    int64_t strides[OQ_MAX_RANK];
    char left[OQ_MAX_RANK * 21];
    char right[OQ_MAX_RANK * 21];
    const bool fits = oq_shape_broadcast(&tensor->shape, onto, &shape, NULL) == ONNXQ_OK;
    if (!fits || !oq_shape_equal(&shape, onto)) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "shape %s does not broadcast to %s",
                       oq_shape_format(&tensor->shape, left, sizeof(left)),
                       oq_shape_format(onto, right, sizeof(right)));
    }
    OQ_TRY(oq_array_in(context, tensor, work, &values, err));
    OQ_TRY(oq_scratch_array(context, (size_t)oq_shape_count(onto), oq_work_bytes(work), &expanded, err));
    oq_broadcast_strides(&tensor->shape, onto, strides);
    oq_array_gather(values, strides, onto, oq_work_bytes(work), expanded);
    *out = expanded;
    return ONNXQ_OK;
}

oq_status oq_array_out(oq_run_context *context, size_t i, oq_dtype dtype, const oq_shape *shape,
                       oq_work_type work, oq_array_target *out, oq_error *err) {
    *out = (oq_array_target){.work = work};
    OQ_TRY(oq_out(context, i, dtype, shape, &out->tensor, err));
    if (is_native_of(dtype, work)) {
        out->data = out->tensor->data;
        return ONNXQ_OK;
    }
    return oq_scratch_array(context, (size_t)oq_shape_count(shape), oq_work_bytes(work), &out->data, err);
}

void oq_array_finish(const oq_array_target *target) {
    if (target->data == target->tensor->data) return;
    oq_work_store_as(target->work, target->tensor->dtype, target->data, target->tensor->data,
                     (size_t)oq_tensor_count(target->tensor));
}

oq_status oq_planes_run(oq_run_context *context, const oq_planes *p, oq_error *err) {
    const bool x_native = is_native_of(p->x->dtype, p->work);
    const bool y_native = is_native_of(p->y->dtype, p->work);
    const size_t x_bytes = oq_dtype_bytes(p->x->dtype);
    const size_t y_bytes = oq_dtype_bytes(p->y->dtype);
    void *x_scratch = NULL;
    void *y_scratch = NULL;
    if (!x_native) OQ_TRY(oq_scratch_array(context, p->x_plane, oq_work_bytes(p->work), &x_scratch, err));
    if (!y_native) OQ_TRY(oq_scratch_array(context, p->y_plane, oq_work_bytes(p->work), &y_scratch, err));
    for (size_t i = 0; i < p->count; i++) {
        const void *x = oq_at(p->x->data, i * p->x_plane, x_bytes);
        void *y = oq_at_mutable(p->y->data, i * p->y_plane, y_bytes);
        if (!x_native) oq_work_load_as(p->work, p->x->dtype, x, x_scratch, p->x_plane);
        p->visit(p->self, i, x_native ? x : x_scratch, y_native ? y : y_scratch);
        if (!y_native) oq_work_store_as(p->work, p->y->dtype, y_scratch, y, p->y_plane);
    }
    return ONNXQ_OK;
}
