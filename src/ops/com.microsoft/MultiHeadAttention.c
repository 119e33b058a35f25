// MultiHeadAttention: attention over heads of projected queries, keys and values, with mask
// and cache.
#include "ops/lib/infer.h"
#include "ops/lib/macs.h"
#include "ops/lib/multi_head.h"

enum { Q, K, V, BIAS, MASK, SCORE_BIAS, PAST_KEY, PAST_VALUE, PAST_LENGTH, INDIRECTION };
enum { Y, PRESENT_KEY, PRESENT_VALUE, SCORES };

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_dtype dtype = oq_infer_dtype(context, Q);
    const int64_t heads = oq_node_int(context->node, "num_heads", 0);
    const bool split = oq_infer_rank(context, V) == 4; // [batch, head, position, size]
    (void)err;
    if (oq_infer_rank(context, Q) != 3 || heads < 1) return ONNXQ_OK;
    const oq_dim hidden =
        split ? oq_dim_multiply(oq_dim_of(heads), oq_infer_dim(context, V, 3)) : oq_infer_dim(context, V, 2);
    const oq_dim y[] = {oq_infer_dim(context, Q, 0), oq_infer_dim(context, Q, 1), hidden};
    oq_infer_set(context, Y, dtype, 3, y);
    for (size_t i = PRESENT_KEY; i < context->output_count; i++) oq_infer_set_dtype(context, i, dtype);
    return ONNXQ_OK;
}

static oq_status does_not_fit(const char *what, oq_error *err) {
    return oq_fail(err, ONNXQ_BAD_MODEL, "MultiHeadAttention: the shape of %s does not fit", what);
}

// A dense input seen by heads: [batch, position, head * size], or [batch, head, position, size].
static oq_status view(oq_run_context *context, size_t input, size_t heads, oq_heads *out, size_t *length,
                      size_t *size, oq_error *err) {
    const oq_tensor *x = oq_in(context, input);
    const int64_t *dim = x->shape.dim;
    const void *values = NULL;
    OQ_TRY(oq_array_in(context, x, OQ_WORK_F32, &values, err));
    if (x->shape.rank == 3 && dim[2] % (int64_t)heads == 0) {
        *length = (size_t)dim[1];
        *size = (size_t)dim[2] / heads;
        *out = (oq_heads){.of_position = (size_t)dim[2], .of_head = *size};
    } else if (x->shape.rank == 4 && dim[1] == (int64_t)heads) {
        *length = (size_t)dim[2];
        *size = (size_t)dim[3];
        *out = (oq_heads){.of_position = *size, .of_head = *length * *size};
    } else {
        return does_not_fit("query, key or value", err);
    }
    out->of_batch = heads * *length * *size;
    out->data = values;
    return ONNXQ_OK;
}

static oq_status read_projections(oq_run_context *context, oq_multi_head *m, oq_error *err) {
    const oq_tensor *q = oq_in(context, Q);
    const oq_tensor *k = oq_in(context, K);
    const oq_tensor *v = oq_in(context, V);
    size_t k_size = 0;
    size_t v_length = 0;
    if (!k || !v || q->shape.rank != 3)
        return oq_fail(err, ONNXQ_UNSUPPORTED,
                       "MultiHeadAttention with queries, keys and values packed into one input is not "
                       "supported: give them as three inputs");
    OQ_TRY(view(context, Q, m->heads, &m->q, &m->queries, &m->size, err));
    OQ_TRY(view(context, K, m->heads, &m->k, &m->fresh, &k_size, err));
    OQ_TRY(view(context, V, m->heads, &m->v, &v_length, &m->v_size, err));
    m->batches = (size_t)q->shape.dim[0];
    const bool batches = k->shape.dim[0] == q->shape.dim[0] && v->shape.dim[0] == q->shape.dim[0];
    if (!batches || k_size != m->size || v_length != m->fresh) return does_not_fit("key or value", err);
    return ONNXQ_OK;
}

// The bias of the projections: queries, keys, values.
static oq_status read_bias(oq_run_context *context, oq_multi_head *m, oq_error *err) {
    const oq_tensor *bias = oq_in(context, BIAS);
    const size_t hidden = m->heads * m->size;
    const void *values = NULL;
    if (!bias) return ONNXQ_OK;
    if ((size_t)oq_tensor_count(bias) != 2 * hidden + m->heads * m->v_size) return does_not_fit("bias", err);
    OQ_TRY(oq_array_in(context, bias, OQ_WORK_F32, &values, err));
    m->q.bias = values;
    m->k.bias = m->q.bias + hidden;
    m->v.bias = m->q.bias + 2 * hidden;
    return ONNXQ_OK;
}

static oq_status read_past(oq_run_context *context, oq_multi_head *m, oq_error *err) {
    const oq_tensor *key = oq_in(context, PAST_KEY);
    const oq_tensor *value = oq_in(context, PAST_VALUE);
    const void *values = NULL;
    if (!key && !value) return ONNXQ_OK;
    if (!key || !value || key->shape.rank != 4) return does_not_fit("past_key or past_value", err);
    const int64_t batches = (int64_t)m->batches;
    const int64_t heads = (int64_t)m->heads;
    const oq_shape k = OQ_SHAPE(batches, heads, key->shape.dim[2], (int64_t)m->size);
    const oq_shape v = OQ_SHAPE(batches, heads, key->shape.dim[2], (int64_t)m->v_size);
    if (!oq_shape_equal(&key->shape, &k) || !oq_shape_equal(&value->shape, &v))
        return does_not_fit("past_key or past_value", err);
    m->cached = (size_t)key->shape.dim[2];
    OQ_TRY(oq_array_in(context, key, OQ_WORK_F32, &values, err));
    m->past_key = values;
    OQ_TRY(oq_array_in(context, value, OQ_WORK_F32, &values, err));
    m->past_value = values;
    return ONNXQ_OK;
}

static oq_status write_present(oq_run_context *context, const oq_multi_head *m, size_t out, size_t size,
                               const float *rows, oq_error *err) {
    const oq_dtype dtype = oq_in(context, Q)->dtype;
    const oq_shape shape =
        OQ_SHAPE((int64_t)m->batches, (int64_t)m->heads, (int64_t)(m->cached + m->fresh), (int64_t)size);
    oq_tensor *present = NULL;
    if (!oq_wanted(context, out)) return ONNXQ_OK;
    OQ_TRY(oq_out(context, out, dtype, &shape, &present, err));
    oq_store_f32(dtype, rows, present->data, (size_t)oq_tensor_count(present));
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const int64_t heads = oq_node_int(context->node, "num_heads", 0);
    oq_multi_head m = {
        .heads = (size_t)heads, .mask = oq_in(context, MASK), .bias = oq_in(context, SCORE_BIAS)};
    const float *keys = NULL;
    const float *values = NULL;
    if (heads < 1) return oq_fail(err, ONNXQ_BAD_MODEL, "MultiHeadAttention needs num_heads above 0");
    if (oq_in(context, PAST_LENGTH) || oq_in(context, INDIRECTION) || oq_wanted(context, SCORES))
        return oq_fail(
            err, ONNXQ_UNSUPPORTED,
            "MultiHeadAttention with a shared cache, beams or the output qk is not supported: export "
            "the model without them");
    OQ_TRY(read_projections(context, &m, err));
    OQ_TRY(read_bias(context, &m, err));
    OQ_TRY(read_past(context, &m, err));
    OQ_TRY(oq_multi_head_run(context, &m, oq_in(context, Q)->dtype, &keys, &values, err));
    OQ_TRY(write_present(context, &m, PRESENT_KEY, m.size, keys, err));
    return write_present(context, &m, PRESENT_VALUE, m.v_size, values, err);
}

// Scores and their product with the values.
static uint64_t macs(const oq_graph *graph, const oq_node *node) {
    const oq_type *q = oq_macs_input(graph, node, Q);
    const oq_type *k = oq_macs_input(graph, node, K);
    const oq_type *y = oq_macs_output(graph, node, Y);
    if (!q || !k || !y || k->rank < 3) return 0;
    const uint64_t keys = oq_macs_dim(k, k->rank - 2);
    return oq_macs_times(oq_macs_elements(q, 0), keys) + oq_macs_times(oq_macs_elements(y, 0), keys);
}

#define FLOATS (OQ_T_FLOAT32 | OQ_T(FLOAT16) | OQ_T(BFLOAT16))
static const oq_type_set types[] = {{"T", FLOATS}, {"QK", FLOATS}, {"M", OQ_T(INT32)}, {0}};
static const oq_attr_spec attrs[] = {{"mask_filter_value", OQ_ATTR_FLOAT, false},
                                     {"num_heads", OQ_ATTR_INT, true},
                                     {"scale", OQ_ATTR_FLOAT, false},
                                     {"unidirectional", OQ_ATTR_INT, false},
                                     {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "query:T, key?:T, value?:T, bias?:T, key_padding_mask?:M, attention_bias?:T, past_key?:T, "
                  "past_value?:T, past_sequence_length?:M, cache_indirection?:M -> output:T, present_key?:T, "
                  "present_value?:T, qk?:QK",
     .types = types,
     .attrs = attrs,
     .infer = infer,
     .run = run,
     .macs = macs},
};
OQ_MICROSOFT_OP(MultiHeadAttention, versions);
