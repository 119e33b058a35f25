// The frame of every operator that only moves elements, strings included.
#include "ops/lib/mover.h"

#include <string.h>

// The string at a position counted through all sources; bases[s] is the first position of source s.
static const char *string_at(const oq_tensor *const *sources, size_t count, const int64_t *bases,
                             int64_t position, size_t *length) {
    *length = 0;
    if (position < 0) return "";
    size_t low = 0, high = count - 1; // the last source whose base is not behind the position
    while (low < high) {
        const size_t middle = low + (high - low + 1) / 2;
        if (bases[middle] <= position)
            low = middle;
        else
            high = middle - 1;
    }
    return oq_tensor_string(sources[low], position - bases[low], length);
}

static const int64_t *count_bases(oq_run_context *context, const oq_tensor *const *sources, size_t count,
                                  int64_t *total, oq_error *err) {
    int64_t *bases = oq_scratch(context, (count + 1) * sizeof *bases, err);
    *total = 0;
    for (size_t s = 0; bases && s < count; ++s) {
        bases[s] = *total;
        *total += oq_tensor_count(sources[s]);
    }
    return bases;
}

oq_status oq_out_strings(oq_run_context *context, size_t out, const oq_shape *shape,
                         const oq_tensor *const *sources, size_t source_count, const int64_t *positions,
                         oq_error *err) {
    int64_t total;
    size_t bytes, length;
    OQ_TRY(oq_shape_check(shape, sizeof(int64_t), &bytes, err));
    const int64_t *bases = count_bases(context, sources, source_count, &total, err);
    if (!bases) return ONNXQ_NO_MEMORY;
    const int64_t count = oq_shape_count(shape);
    size_t text = 0;
    for (int64_t k = 0; k < count; ++k) {
        string_at(sources, source_count, bases, positions[k], &length);
        if (!oq_add_size(text, length, &text)) return oq_fail(err, ONNXQ_NO_MEMORY, "strings too large");
    }
    if (!oq_add_size(bytes, sizeof(int64_t), &bytes) || !oq_add_size(bytes, text, &bytes))
        return oq_fail(err, ONNXQ_NO_MEMORY, "strings too large");
    oq_tensor tensor = {.dtype = ONNXQ_STRING, .shape = *shape};
    OQ_TRY(context->new_buffer(context, bytes, &tensor.buffer, err));
    tensor.data = tensor.buffer->data;
    int64_t *offsets = tensor.data;
    offsets[0] = (count + 1) * (int64_t)sizeof *offsets; // the texts begin behind the offsets
    for (int64_t k = 0; k < count; ++k) {
        const char *string = string_at(sources, source_count, bases, positions[k], &length);
        memcpy((char *)tensor.data + offsets[k], string, length);
        offsets[k + 1] = offsets[k] + (int64_t)length;
    }
    oq_out_take(context, out, oq_value_of_tensor(tensor));
    return ONNXQ_OK;
}

static oq_status open_strings(oq_mover *m, oq_error *err) {
    int64_t total;
    size_t bytes, into;
    const int64_t *bases = count_bases(m->context, m->sources, m->source_count, &total, err);
    if (!bases) return ONNXQ_NO_MEMORY;
    if (!oq_mul_size((size_t)total, sizeof(int64_t), &bytes))
        return oq_fail(err, ONNXQ_NO_MEMORY, "too many strings");
    OQ_TRY(oq_shape_check(&m->shape, sizeof(int64_t), &into, err));
    int64_t *positions = oq_scratch(m->context, bytes, err);
    m->to = oq_scratch(m->context, into, err);
    if (!positions || !m->to) return ONNXQ_NO_MEMORY;
    for (int64_t i = 0; i < total; ++i) positions[i] = i;
    for (size_t s = 0; s < m->source_count; ++s) m->from[s] = (const unsigned char *)(positions + bases[s]);
    m->element = sizeof(int64_t);
    memset(m->zero, 0xFF, sizeof m->zero); // position -1
    return ONNXQ_OK;
}

oq_status oq_mover_open(oq_mover *m, oq_run_context *context, size_t out, const oq_shape *shape,
                        const oq_tensor *const *sources, size_t count, oq_error *err) {
    const oq_dtype dtype = sources[0]->dtype;
    *m = (oq_mover){.context = context,
                    .out = out,
                    .shape = *shape,
                    .sources = sources,
                    .source_count = count,
                    .element = oq_dtype_bytes(dtype),
                    .strings = dtype == ONNXQ_STRING};
    for (size_t s = 1; s < count; ++s)
        if (sources[s]->dtype != dtype)
            return oq_fail(err, ONNXQ_BAD_MODEL, "inputs of %s are of different types, %s and %s",
                           context->node->op_type, onnxq_dtype_name(dtype),
                           onnxq_dtype_name(sources[s]->dtype));
    m->from = oq_scratch(context, count * sizeof *m->from, err);
    if (!m->from) return ONNXQ_NO_MEMORY;
    if (m->strings) return open_strings(m, err);
    for (size_t s = 0; s < count; ++s) m->from[s] = sources[s]->data;
    oq_tensor *tensor;
    OQ_TRY(oq_out(context, out, dtype, shape, &tensor, err));
    m->to = tensor->data;
    return ONNXQ_OK;
}

oq_status oq_mover_close(oq_mover *m, oq_error *err) {
    if (!m->strings) return ONNXQ_OK;
    return oq_out_strings(m->context, m->out, &m->shape, m->sources, m->source_count, (const int64_t *)m->to,
                          err);
}
