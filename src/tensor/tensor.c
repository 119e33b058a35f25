// Tensors: buffers with reference counts, making, reading single elements, comparing.
#include "tensor/tensor.h"

#include <string.h>

oq_buffer *oq_buffer_new(oq_mem *mem, size_t bytes, oq_error *err) {
    oq_buffer *buffer = oq_mem_alloc(mem, sizeof *buffer, err);
    if (!buffer) return NULL;
    *buffer = (oq_buffer){.mem = mem, .size = bytes};
    atomic_init(&buffer->references, 1);
    buffer->data = oq_mem_alloc(mem, bytes, err);
    if (buffer->data) return buffer;
    oq_mem_free(mem, buffer);
    return NULL;
}

oq_buffer *oq_buffer_retain(oq_buffer *buffer) {
    atomic_fetch_add_explicit(&buffer->references, 1, memory_order_relaxed);
    return buffer;
}

void oq_buffer_release(oq_buffer *buffer) {
    if (!buffer || atomic_fetch_sub(&buffer->references, 1) != 1) return;
    if (buffer->reclaim) {
        buffer->reclaim(buffer, buffer->owner);
        return;
    }
    oq_mem_free(buffer->mem, buffer->data);
    oq_mem_free(buffer->mem, buffer);
}

static oq_status attach_buffer(oq_mem *mem, size_t bytes, oq_tensor *out, oq_error *err) {
    out->buffer = oq_buffer_new(mem, bytes, err);
    if (!out->buffer) {
        *out = (oq_tensor){0};
        return ONNXQ_NO_MEMORY;
    }
    out->data = out->buffer->data;
    return ONNXQ_OK;
}

oq_status oq_tensor_new(oq_mem *mem, oq_dtype dtype, const oq_shape *shape, oq_tensor *out, oq_error *err) {
    *out = (oq_tensor){0};
    const size_t element = oq_dtype_bytes(dtype);
    if (!element)
        return oq_fail(err, ONNXQ_INTERNAL, "a tensor of type %s cannot be made by its size",
                       oq_dtype_info(dtype)->name);
    size_t bytes = 0;
    OQ_TRY(oq_shape_check(shape, element, &bytes, err));
    *out = (oq_tensor){.dtype = dtype, .shape = *shape};
    return attach_buffer(mem, bytes, out, err);
}

oq_status oq_tensor_new_strings(oq_mem *mem, const oq_shape *shape, const char *const *texts,
                                const size_t *lengths, oq_tensor *out, oq_error *err) {
    *out = (oq_tensor){0};
    size_t total = 0;
    OQ_TRY(oq_shape_check(shape, sizeof(int64_t), &total, err));
    const size_t count = (size_t)oq_shape_count(shape);
    bool fits = oq_add_size(total, sizeof(int64_t), &total);
    for (size_t i = 0; i < count && fits; i++) fits = oq_add_size(total, lengths[i], &total);
    if (!fits || total > INT64_MAX)
        return oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory for %zu strings", count);
    *out = (oq_tensor){.dtype = ONNXQ_STRING, .shape = *shape};
    OQ_TRY(attach_buffer(mem, total, out, err));
    int64_t *offsets = out->data;
    int64_t offset = (int64_t)((count + 1) * sizeof(int64_t));
    for (size_t i = 0; i < count; i++) {
        offsets[i] = offset;
        if (lengths[i]) memcpy((char *)out->data + offset, texts[i], lengths[i]);
        offset += (int64_t)lengths[i];
    }
    offsets[count] = offset;
    return ONNXQ_OK;
}

oq_tensor oq_tensor_retain(const oq_tensor *tensor) {
    if (tensor->buffer) oq_buffer_retain(tensor->buffer);
    return *tensor;
}

void oq_tensor_release(oq_tensor *tensor) {
    if (!tensor) return;
    oq_buffer_release(tensor->buffer);
    *tensor = (oq_tensor){0};
}

size_t oq_tensor_bytes(const oq_tensor *tensor) {
    const size_t count = (size_t)oq_tensor_count(tensor);
    if (tensor->dtype == ONNXQ_STRING && tensor->data) return (size_t)((const int64_t *)tensor->data)[count];
    return count * oq_dtype_bytes(tensor->dtype);
}

const char *oq_tensor_string(const oq_tensor *tensor, int64_t index, size_t *length) {
    const int64_t *offsets = tensor->data;
    *length = (size_t)(offsets[index + 1] - offsets[index]);
    return (const char *)tensor->data + offsets[index];
}

static const void *element_at(const oq_tensor *tensor, int64_t index) {
    return (const char *)tensor->data + (size_t)index * oq_dtype_bytes(tensor->dtype);
}

double oq_tensor_get_f64(const oq_tensor *tensor, int64_t index) {
    double value = 0;
    oq_load_f64(tensor->dtype, element_at(tensor, index), &value, 1);
    return value;
}

int64_t oq_tensor_get_i64(const oq_tensor *tensor, int64_t index) {
    int64_t value = 0;
    oq_load_i64(tensor->dtype, element_at(tensor, index), &value, 1);
    return value;
}

bool oq_tensor_equal(const oq_tensor *a, const oq_tensor *b) {
    if (a->dtype != b->dtype || !oq_shape_equal(&a->shape, &b->shape)) return false;
    if (a->dtype == ONNXQ_UNDEFINED) return true;
    const size_t bytes = oq_tensor_bytes(a);
    if (bytes != oq_tensor_bytes(b)) return false;
    return !bytes || memcmp(a->data, b->data, bytes) == 0;
}
