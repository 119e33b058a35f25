// Attention of com.microsoft on top of lib/attention.h.
#include "ops/lib/multi_head.h"

#include <math.h>
#include <string.h>

// --- projections ---

// One row of `size` elements of h, its bias added.
static void copy_row(const oq_heads *h, size_t batch, size_t position, size_t head, size_t size, float *to) {
    const float *from = h->data + batch * h->of_batch + position * h->of_position + head * h->of_head;
    memcpy(to, from, size * sizeof *to);
    for (size_t i = 0; h->bias && i < size; i++) to[i] += h->bias[head * size + i];
}

// Queries as [batch, position, head * size].
static oq_status gather_queries(oq_run_context *context, const oq_multi_head *m, const void **out,
                                oq_error *err) {
    void *block = NULL;
    const size_t rows = m->batches * m->queries * m->heads;
    OQ_TRY(oq_scratch_array(context, rows, m->size * sizeof(float), &block, err));
    for (size_t i = 0; i < rows; i++) {
        const size_t place = i / m->heads;
        copy_row(&m->q, place / m->queries, place % m->queries, i % m->heads, m->size,
                 (float *)block + i * m->size);
    }
    *out = block;
    return ONNXQ_OK;
}

// The cache with the new keys (or values) behind: [batch, head, cached + fresh, size].
static oq_status join_cache(oq_run_context *context, const oq_multi_head *m, const oq_heads *h,
                            const float *past, size_t size, const float **out, oq_error *err) {
    const size_t keys = m->cached + m->fresh;
    void *block = NULL;
    OQ_TRY(oq_scratch_array(context, m->batches * m->heads * keys, size * sizeof(float), &block, err));
    float *to = block;
    for (size_t i = 0; i < m->batches * m->heads; i++) {
        if (past) memcpy(to, past + i * m->cached * size, m->cached * size * sizeof *to);
        to += m->cached * size;
        for (size_t key = 0; key < m->fresh; key++, to += size)
            copy_row(h, i / m->heads, key, i % m->heads, size, to);
    }
    *out = block;
    return ONNXQ_OK;
}

// --- mask ---

// Whether the integer mask lets query `i` of a sequence see `key`.
static bool allows(const oq_multi_head *m, size_t batch, size_t i, size_t key) {
    const int32_t *mask = m->mask->data;
    const size_t keys = m->cached + m->fresh;
    if (m->mask->shape.rank == 3) return mask[(batch * m->queries + i) * keys + key] > 0;
    if (m->mask->shape.rank == 2) return mask[batch * keys + key] > 0;
    const bool begins = (size_t)oq_tensor_count(m->mask) > m->batches;
    return (int64_t)key < mask[batch] && (!begins || (int64_t)key >= mask[m->batches + batch]);
}

static oq_status check_mask(const oq_run_context *context, const oq_multi_head *m, oq_error *err) {
    if (!m->mask) return ONNXQ_OK;
    const int64_t batches = (int64_t)m->batches;
    const int64_t keys = (int64_t)(m->cached + m->fresh);
    const oq_shape *shape = &m->mask->shape;
    const oq_shape flat = OQ_SHAPE(batches, keys);
    const oq_shape full = OQ_SHAPE(batches, (int64_t)m->queries, keys);
    const bool lengths = shape->rank == 1 && (shape->dim[0] == batches || shape->dim[0] == 2 * batches);
    if (lengths || oq_shape_equal(shape, &flat) || oq_shape_equal(shape, &full)) return ONNXQ_OK;
    char shown[OQ_MAX_RANK * 21];
    return oq_fail(err, ONNXQ_UNSUPPORTED,
                   "%s with a mask of shape %s for %lld sequences and %lld keys is not supported",
                   context->node->op_type, oq_shape_format(shape, shown, sizeof shown), (long long)batches,
                   (long long)keys);
}

// Whether a causal node hides `key` from query `i`. The last query sees all keys, also where there are more
// keys than queries: ONNX Runtime leaves its row alone.
static bool is_ahead(const oq_multi_head *m, size_t i, size_t key) {
    return i + 1 < m->queries && key > m->cached + i;
}

// What is added to the scores: the bias, mask_filter_value where the mask forbids, -inf for keys ahead.
static oq_status read_mask(oq_run_context *context, const oq_multi_head *m, oq_attention *a, oq_error *err) {
    const float filter = oq_node_float(context->node, "mask_filter_value", -10000.0F);
    const bool causal = oq_node_int(context->node, "unidirectional", 0) != 0;
    const size_t heads = m->bias ? m->heads : 1;
    const oq_shape onto =
        OQ_SHAPE((int64_t)m->batches, (int64_t)heads, (int64_t)m->queries, (int64_t)a->keys);
    const size_t count = (size_t)oq_shape_count(&onto);
    const void *bias = NULL;
    void *block = NULL;
    OQ_TRY(check_mask(context, m, err));
    if (!m->mask && !m->bias && !causal) return ONNXQ_OK;
    OQ_TRY(oq_scratch_array(context, count, sizeof(float), &block, err));
    if (m->bias) OQ_TRY(oq_array_expand(context, m->bias, &onto, OQ_WORK_F32, &bias, err));
    float *mask = block;
    for (size_t at = 0; at < count; at++) {
        const size_t key = at % a->keys;
        const size_t row = at / a->keys;
        const size_t query = row % m->queries;
        mask[at] = bias ? ((const float *)bias)[at] : 0;
        if (m->mask && !allows(m, row / m->queries / heads, query, key)) mask[at] += filter;
        if (causal && is_ahead(m, query, key)) mask[at] = -INFINITY;
    }
    a->mask = mask;
    a->mask_keys = a->keys;
    a->mask_stride[3] = 1;
    a->mask_stride[2] = (int64_t)a->keys;
    a->mask_stride[1] = heads > 1 ? (int64_t)(m->queries * a->keys) : 0;
    a->mask_stride[0] = (int64_t)(heads * m->queries * a->keys);
    return ONNXQ_OK;
}

oq_status oq_multi_head_run(oq_run_context *context, const oq_multi_head *m, oq_dtype dtype,
                            const float **keys, const float **values, oq_error *err) {
    const double scale = (double)oq_node_float(context->node, "scale", 0.0F);
    oq_attention a = {.work = OQ_WORK_F32,
                      .batches = m->batches,
                      .q_heads = m->heads,
                      .kv_heads = m->heads,
                      .queries = m->queries,
                      .keys = m->cached + m->fresh,
                      .size = m->size,
                      .v_size = m->v_size,
                      .cached = m->cached,
                      .flat = true,
                      .scale = scale != 0 ? scale : 1.0 / sqrt((double)m->size),
                      .left = -1,
                      .right = -1};
    const oq_shape shape =
        OQ_SHAPE((int64_t)m->batches, (int64_t)m->queries, (int64_t)(m->heads * m->v_size));
    oq_array_target y;
    OQ_TRY(read_mask(context, m, &a, err));
    OQ_TRY(gather_queries(context, m, &a.q, err));
    OQ_TRY(join_cache(context, m, &m->k, m->past_key, m->size, keys, err));
    OQ_TRY(join_cache(context, m, &m->v, m->past_value, m->v_size, values, err));
    OQ_TRY(oq_array_out(context, 0, dtype, &shape, OQ_WORK_F32, &y, err));
    a.k = *keys;
    a.v = *values;
    a.y = y.data;
    OQ_TRY(oq_attention_run(context, &a, err));
    oq_array_finish(&y);
    return ONNXQ_OK;
}
