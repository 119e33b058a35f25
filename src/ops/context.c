// What kernels do with their run context: make outputs, share bytes, take scratch.
#include "ops/ops.h"

#include <string.h>

static oq_status check_output(const oq_run_context *context, size_t i, oq_error *err) {
    if (i < context->output_count) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_INTERNAL, "kernel of %s writes output %zu, but the node has %zu",
                   context->node->op_type, i, context->output_count);
}

static oq_tensor *keep(oq_run_context *context, size_t i, oq_tensor tensor) {
    oq_value_release(&context->out[i]);
    context->out[i] = oq_value_of_tensor(tensor);
    return &context->out[i].tensor;
}

oq_status oq_out(oq_run_context *context, size_t i, oq_dtype dtype, const oq_shape *shape, oq_tensor **out,
                 oq_error *err) {
    OQ_TRY(check_output(context, i, err));
    const size_t element = oq_dtype_bytes(dtype);
    if (!element)
        return oq_fail(err, ONNXQ_INTERNAL, "kernel of %s asks for an output of %s with fixed-size elements",
                       context->node->op_type, onnxq_dtype_name(dtype));
    size_t bytes;
    OQ_TRY(oq_shape_check(shape, element, &bytes, err));
    oq_tensor tensor = {.dtype = dtype, .shape = *shape};
    OQ_TRY(context->new_buffer(context, bytes, &tensor.buffer, err));
    tensor.data = tensor.buffer->data;
    oq_tensor *kept = keep(context, i, tensor);
    if (out) *out = kept;
    return ONNXQ_OK;
}

// True when the input's bytes may be overwritten: it dies here and nobody else holds its buffer.
static bool can_reuse(const oq_run_context *context, size_t from, size_t bytes) {
    const oq_tensor *in = oq_in(context, from);
    if (!in || !context->in_dies[from] || !in->buffer || in->dtype == ONNXQ_STRING) return false;
    if (atomic_load_explicit(&in->buffer->references, memory_order_acquire) != 1) return false;
    const size_t offset = (size_t)((const unsigned char *)in->data - in->buffer->data);
    return offset <= in->buffer->size && bytes <= in->buffer->size - offset;
}

oq_status oq_out_reuse(oq_run_context *context, size_t i, size_t from, oq_dtype dtype, const oq_shape *shape,
                       oq_tensor **out, oq_error *err) {
    OQ_TRY(check_output(context, i, err));
    const size_t element = oq_dtype_bytes(dtype);
    size_t bytes = 0;
    OQ_TRY(oq_shape_check(shape, element ? element : 1, &bytes, err));
    if (!element || !can_reuse(context, from, bytes)) return oq_out(context, i, dtype, shape, out, err);
    oq_tensor tensor = oq_tensor_retain(oq_in(context, from));
    tensor.dtype = dtype;
    tensor.shape = *shape;
    oq_tensor *kept = keep(context, i, tensor);
    if (out) *out = kept;
    return ONNXQ_OK;
}

oq_status oq_out_view(oq_run_context *context, size_t i, const oq_tensor *source, const oq_shape *shape,
                      oq_error *err) {
    OQ_TRY(check_output(context, i, err));
    OQ_TRY(oq_shape_check(shape, 1, NULL, err));
    if (oq_shape_count(shape) != oq_tensor_count(source)) {
        char from[128], to[128];
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "%s cannot turn shape %s into %s: the numbers of elements differ",
                       context->node->op_type, oq_shape_format(&source->shape, from, sizeof from),
                       oq_shape_format(shape, to, sizeof to));
    }
    oq_tensor tensor = *source;
    tensor.shape = *shape;
    if (source->buffer) {
        tensor = oq_tensor_retain(&tensor);
    } else {
        // Borrowed bytes may be gone when somebody reads the output, so they are copied.
        const size_t bytes = oq_tensor_bytes(source);
        OQ_TRY(context->new_buffer(context, bytes, &tensor.buffer, err));
        tensor.data = tensor.buffer->data;
        if (bytes) memcpy(tensor.data, source->data, bytes);
    }
    keep(context, i, tensor);
    return ONNXQ_OK;
}

void oq_out_take(oq_run_context *context, size_t i, oq_value value) {
    if (i >= context->output_count) {
        oq_value_release(&value);
        return;
    }
    oq_value_release(&context->out[i]);
    context->out[i] = value;
}

void *oq_scratch(oq_run_context *context, size_t bytes, oq_error *err) {
    return context->new_scratch(context, bytes, err);
}
