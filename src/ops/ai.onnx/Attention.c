// Attention: scaled dot product attention with heads, mask, cache and windows.
#include "ops/lib/attention.h"

#include "ops/lib/infer.h"
#include "ops/lib/macs.h"

#include <math.h>
#include <string.h>

enum { Q, K, V, MASK, PAST_KEY, PAST_VALUE, VALID };
enum { Y, PRESENT_KEY, PRESENT_VALUE, SEEN };

static oq_status does_not_fit(const char *what, oq_error *err) {
    return oq_fail(err, ONNXQ_BAD_MODEL, "%s of Attention does not fit its other inputs", what);
}

// Heads of an input of rank 4, or as the attribute says for rank 3; 0 when they do not divide its last axis.
static int64_t heads_of(const oq_node *node, const oq_shape *shape, const char *attribute) {
    if (shape->rank == 4) return shape->dim[1];
    const int64_t heads = oq_node_int(node, attribute, 0);
    return heads > 0 && shape->dim[2] % heads == 0 ? heads : 0;
}

static oq_status read_shapes(const oq_run_context *context, oq_attention *a, oq_error *err) {
    const oq_shape *q = &oq_in(context, Q)->shape;
    const oq_shape *k = &oq_in(context, K)->shape;
    const oq_shape *v = &oq_in(context, V)->shape;
    const int rank = q->rank;
    if ((rank != 3 && rank != 4) || k->rank != rank || v->rank != rank) return does_not_fit("the rank", err);
    const int64_t q_heads = heads_of(context->node, q, "q_num_heads");
    const int64_t kv_heads = heads_of(context->node, k, "kv_num_heads");
    if (!q_heads || !kv_heads || q_heads % kv_heads != 0 ||
        heads_of(context->node, v, "kv_num_heads") != kv_heads) {
        return does_not_fit("the number of heads", err);
    }
    a->flat = rank == 3;
    a->batches = (size_t)q->dim[0];
    a->q_heads = (size_t)q_heads;
    a->kv_heads = (size_t)kv_heads;
    a->queries = (size_t)q->dim[rank - 2];
    a->keys = (size_t)k->dim[rank - 2];
    a->size = (size_t)(a->flat ? q->dim[2] / q_heads : q->dim[3]);
    a->v_size = (size_t)(a->flat ? v->dim[2] / kv_heads : v->dim[3]);
    const int64_t k_size = a->flat ? k->dim[2] / kv_heads : k->dim[3];
    const bool same =
        k->dim[0] == q->dim[0] && v->dim[0] == q->dim[0] && v->dim[rank - 2] == k->dim[rank - 2];
    return same && k_size == (int64_t)a->size ? ONNXQ_OK : does_not_fit("the shape of K or V", err);
}

// The cache with the new keys (or values) behind: [batch, head, cached + new, size], as output or in scratch.
static oq_status join_cache(oq_run_context *context, const oq_attention *a, size_t past_index,
                            size_t new_index, size_t out_index, size_t size, oq_tensor *out, oq_error *err) {
    const oq_tensor *past = oq_in(context, past_index);
    const oq_tensor *new = oq_in(context, new_index);
    const oq_shape shape =
        OQ_SHAPE((int64_t)a->batches, (int64_t)a->kv_heads, (int64_t)a->keys, (int64_t)size);
    *out = (oq_tensor){.dtype = new->dtype, .shape = shape};
    const size_t bytes = oq_dtype_bytes(new->dtype) * size;
    if (oq_wanted(context, out_index)) {
        oq_tensor *kept = NULL;
        OQ_TRY(oq_out(context, out_index, new->dtype, &shape, &kept, err));
        out->data = kept->data;
    } else if (!past && !a->flat) {
        out->data = new->data;
        return ONNXQ_OK;
    } else {
        OQ_TRY(oq_shape_check(&shape, oq_dtype_bytes(new->dtype), NULL, err));
        OQ_TRY(oq_scratch_array(context, (size_t)oq_shape_count(&shape), oq_dtype_bytes(new->dtype),
                                &out->data, err));
    }
    const size_t fresh = a->keys - a->cached;
    for (size_t i = 0; i < a->batches * a->kv_heads * a->keys; i++) {
        const size_t head = i / a->keys;
        const size_t key = i % a->keys;
        const size_t at = key - a->cached; // among the new ones
        const size_t row = key < a->cached ? head * a->cached + key
                           : a->flat ? (head / a->kv_heads * fresh + at) * a->kv_heads + head % a->kv_heads
                                     : head * fresh + at;
        memcpy(oq_at_mutable(out->data, i, bytes),
               oq_at(key < a->cached ? past->data : new->data, row, bytes), bytes);
    }
    return ONNXQ_OK;
}

// Both caches or none, of the right shape; keys then include the cached ones.
static oq_status read_past(const oq_run_context *context, oq_attention *a, oq_error *err) {
    const oq_tensor *key = oq_in(context, PAST_KEY);
    const oq_tensor *value = oq_in(context, PAST_VALUE);
    const oq_tensor *valid = oq_in(context, VALID);
    if (!key != !value || (key && valid))
        return does_not_fit("past_key, past_value or nonpad_kv_seqlen", err);
    if (valid && oq_tensor_count(valid) != (int64_t)a->batches) return does_not_fit("nonpad_kv_seqlen", err);
    a->valid = valid ? valid->data : NULL;
    if (!key) return ONNXQ_OK;
    if (key->shape.rank != 4 || value->shape.rank != 4)
        return does_not_fit("the rank of past_key or past_value", err);
    const int64_t cached = key->shape.dim[2];
    const int64_t heads = (int64_t)a->kv_heads;
    const oq_shape k_shape = OQ_SHAPE((int64_t)a->batches, heads, cached, (int64_t)a->size);
    const oq_shape v_shape = OQ_SHAPE((int64_t)a->batches, heads, cached, (int64_t)a->v_size);
    if (!oq_shape_equal(&key->shape, &k_shape) || !oq_shape_equal(&value->shape, &v_shape)) {
        return does_not_fit("past_key or past_value", err);
    }
    a->cached = (size_t)cached;
    a->keys += a->cached;
    return ONNXQ_OK;
}

// A boolean mask becomes 0 and -inf.
static oq_status read_mask(oq_run_context *context, oq_attention *a, oq_error *err) {
    const oq_tensor *mask = oq_in(context, MASK);
    if (!mask) return ONNXQ_OK;
    const oq_shape *shape = &mask->shape;
    const int64_t onto[] = {(int64_t)a->batches, (int64_t)a->q_heads, (int64_t)a->queries, (int64_t)a->keys};
    int64_t strides[OQ_MAX_RANK];
    if (shape->rank < 1 || shape->rank > 4) return does_not_fit("the rank of attn_mask", err);
    oq_shape_strides(shape, strides);
    for (int i = 0; i < shape->rank; i++) {
        const int axis = 4 - shape->rank + i;
        const bool fits =
            axis == 3 ? shape->dim[i] <= onto[3] : shape->dim[i] == 1 || shape->dim[i] == onto[axis];
        if (!fits) return does_not_fit("attn_mask", err);
        a->mask_stride[axis] = axis < 3 && shape->dim[i] == 1 ? 0 : strides[i];
    }
    a->mask_keys = (size_t)shape->dim[shape->rank - 1];
    const size_t count = (size_t)oq_tensor_count(mask);
    const size_t size = oq_work_bytes(a->work);
    void *bias = NULL;
    OQ_TRY(oq_scratch_array(context, count, size, &bias, err));
    oq_work_load_as(a->work, mask->dtype, mask->data, bias, count);
    for (size_t i = 0; i < count && mask->dtype == ONNXQ_BOOL; i++) {
        const bool allowed = ((const uint8_t *)mask->data)[i] != 0;
        if (a->work == OQ_WORK_F32) {
            ((float *)bias)[i] = allowed ? 0 : -INFINITY;
        } else {
            ((double *)bias)[i] = allowed ? 0 : -(double)INFINITY;
        }
    }
    a->mask = bias;
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_node *node = context->node;
    const oq_tensor *q = oq_in(context, Q);
    const bool wide = q->dtype == ONNXQ_DOUBLE || oq_in(context, V)->dtype == ONNXQ_DOUBLE;
    oq_attention a = {.work = wide ? OQ_WORK_F64 : OQ_WORK_F32,
                      .softcap = (double)oq_node_float(node, "softcap", 0.0F),
                      .causal = oq_node_int(node, "is_causal", 0) != 0,
                      .left = oq_node_int(node, "left_window_size", -1),
                      .right = oq_node_int(node, "right_window_size", -1),
                      .mode = (int)oq_node_int(node, "qk_matmul_output_mode", 0)};
    OQ_TRY(read_shapes(context, &a, err));
    OQ_TRY(read_past(context, &a, err));
    OQ_TRY(read_mask(context, &a, err));
    a.scale =
        oq_node_attr(node, "scale") ? (double)oq_node_float(node, "scale", 1.0F) : 1.0 / sqrt((double)a.size);
    oq_tensor key;
    oq_tensor value;
    OQ_TRY(join_cache(context, &a, PAST_KEY, K, PRESENT_KEY, a.size, &key, err));
    OQ_TRY(join_cache(context, &a, PAST_VALUE, V, PRESENT_VALUE, a.v_size, &value, err));
    OQ_TRY(oq_array_in(context, q, a.work, &a.q, err));
    OQ_TRY(oq_array_in(context, &key, a.work, &a.k, err));
    OQ_TRY(oq_array_in(context, &value, a.work, &a.v, err));
    oq_shape shape = q->shape;
    shape.dim[shape.rank - 1] = (int64_t)(a.flat ? a.q_heads * a.v_size : a.v_size);
    oq_array_target y;
    OQ_TRY(oq_array_out(context, Y, q->dtype, &shape, a.work, &y, err));
    if (oq_wanted(context, SEEN)) {
        const oq_shape scores =
            OQ_SHAPE((int64_t)a.batches, (int64_t)a.q_heads, (int64_t)a.queries, (int64_t)a.keys);
        OQ_TRY(oq_out(context, SEEN, q->dtype, &scores, &a.seen, err));
    }
    a.y = y.data;
    OQ_TRY(oq_attention_run(context, &a, err));
    oq_array_finish(&y);
    return ONNXQ_OK;
}

// Heads and the size of one of them, of input `i` of known rank.
static void infer_heads(const oq_infer_context *context, size_t i, const char *attribute, oq_dim *heads,
                        oq_dim *size) {
    const int64_t given = oq_node_int(context->node, attribute, 0);
    const bool flat = oq_infer_rank(context, i) == 3;
    *heads = flat ? given > 0 ? oq_dim_of(given) : OQ_DIM_ANONYMOUS : oq_infer_dim(context, i, 1);
    *size = flat ? given > 0 ? oq_dim_divide(oq_infer_dim(context, i, 2), given) : OQ_DIM_ANONYMOUS
                 : oq_infer_dim(context, i, 3);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    static const size_t from[] = {Q, K, V, Q};
    (void)err;
    for (size_t i = 0; i < context->output_count; i++) {
        oq_infer_set_dtype(context, i, oq_infer_dtype(context, from[i]));
    }
    const int rank = oq_infer_rank(context, Q);
    if ((rank != 3 && rank != 4) || oq_infer_rank(context, K) != rank || oq_infer_rank(context, V) != rank) {
        return ONNXQ_OK;
    }
    oq_dim q_heads = OQ_DIM_ANONYMOUS, kv_heads = OQ_DIM_ANONYMOUS;
    oq_dim size = OQ_DIM_ANONYMOUS, v_size = OQ_DIM_ANONYMOUS;
    infer_heads(context, Q, "q_num_heads", &q_heads, &size);
    infer_heads(context, V, "kv_num_heads", &kv_heads, &v_size);
    const oq_dim batch = oq_infer_dim(context, Q, 0);
    const oq_dim queries = oq_infer_dim(context, Q, rank - 2);
    oq_dim keys = oq_infer_dim(context, K, rank - 2);
    if (oq_infer_given(context, PAST_KEY)) {
        const oq_dim past = oq_infer_dim(context, PAST_KEY, 2);
        keys = oq_dim_known(past) ? oq_dim_add(keys, past.size) : OQ_DIM_ANONYMOUS;
    }
    const oq_dim flat[] = {batch, queries, oq_dim_multiply(q_heads, v_size)};
    const oq_dim split[] = {batch, q_heads, queries, v_size};
    const oq_dim outputs[][4] = {
        {batch, kv_heads, keys, size}, {batch, kv_heads, keys, v_size}, {batch, q_heads, queries, keys}};
    oq_infer_set(context, Y, oq_infer_dtype(context, Q), rank, rank == 3 ? flat : split);
    for (size_t i = 1; i < context->output_count && i < sizeof from / sizeof *from; i++) {
        oq_infer_set(context, i, oq_infer_dtype(context, from[i]), 4, outputs[i - 1]);
    }
    return ONNXQ_OK;
}

// q k' and the probabilities times v.
static uint64_t macs(const oq_graph *graph, const oq_node *node) {
    const oq_type *q = oq_macs_input(graph, node, Q);
    const oq_type *k = oq_macs_input(graph, node, K);
    const oq_type *y = oq_macs_output(graph, node, Y);
    if (!q || !k || !y) return 0;
    const uint64_t keys = oq_macs_dim(k, k->rank - 2);
    return oq_macs_times(oq_macs_elements(q, 0), keys) + oq_macs_times(oq_macs_elements(y, 0), keys);
}

static const oq_type_set types[] = {
    {"T1", OQ_T_FLOATS4}, {"T2", OQ_T_FLOATS4}, {"U", OQ_T_NUMERIC4 | OQ_T(BOOL)}, {0}};
static const oq_attr_spec attrs_23[] = {
    {"is_causal", OQ_ATTR_INT, false},         {"kv_num_heads", OQ_ATTR_INT, false},
    {"q_num_heads", OQ_ATTR_INT, false},       {"qk_matmul_output_mode", OQ_ATTR_INT, false},
    {"scale", OQ_ATTR_FLOAT, false},           {"softcap", OQ_ATTR_FLOAT, false},
    {"softmax_precision", OQ_ATTR_INT, false}, {0}};
static const oq_attr_spec attrs_25[] = {{"is_causal", OQ_ATTR_INT, false},
                                        {"kv_num_heads", OQ_ATTR_INT, false},
                                        {"left_window_size", OQ_ATTR_INT, false},
                                        {"q_num_heads", OQ_ATTR_INT, false},
                                        {"qk_matmul_output_mode", OQ_ATTR_INT, false},
                                        {"right_window_size", OQ_ATTR_INT, false},
                                        {"scale", OQ_ATTR_FLOAT, false},
                                        {"softcap", OQ_ATTR_FLOAT, false},
                                        {"softmax_precision", OQ_ATTR_INT, false},
                                        {0}};

#define INPUTS  "Q:T1, K:T1, V:T2, attn_mask?:U, past_key?:T1, past_value?:T2"
#define OUTPUTS " -> Y:T1, present_key?:T1, present_value?:T2, qk_matmul_output?:T1"
#define RUNS    .types = types, .infer = infer, .run = run, .macs = macs
static const oq_op_version versions[] = {
    {.since = 23, .signature = INPUTS OUTPUTS, .attrs = attrs_23, RUNS},
    {.since = 24, .signature = INPUTS ", nonpad_kv_seqlen?:int64" OUTPUTS, .attrs = attrs_23, RUNS},
    {.since = 25, .signature = INPUTS ", nonpad_kv_seqlen?:int64" OUTPUTS, .attrs = attrs_25, RUNS},
};
OQ_ONNX_OP(Attention, versions);
