// Attention: projection to queries, keys and values, attention over heads, with mask and cache.
#include "ops/lib/factor.h"
#include "ops/lib/infer.h"
#include "ops/lib/macs.h"
#include "ops/lib/multi_head.h"

enum { X, WEIGHTS, BIAS, MASK, PAST, SCORE_BIAS, PAST_LENGTH };
enum { Y, PRESENT };

// Columns of queries, keys and values in the weights.
static bool read_columns(const oq_node *node, int64_t all, int64_t columns[3]) {
    const oq_attr *given = oq_node_attr(node, "qkv_hidden_sizes");
    const int64_t heads = oq_node_int(node, "num_heads", 0);
    for (size_t i = 0; i < 3; i++) columns[i] = given && given->count == 3 ? given->ints[i] : all / 3;
    return heads > 0 && columns[0] == columns[1] && columns[0] > 0 && columns[2] > 0 &&
           columns[0] % heads == 0 && columns[2] % heads == 0 && 2 * columns[0] + columns[2] == all;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_dtype dtype = oq_infer_dtype(context, X);
    const oq_dim all = oq_infer_dim(context, WEIGHTS, 1);
    int64_t columns[3] = {0};
    if (oq_infer_rank(context, X) != 3 || !oq_dim_known(all)) return ONNXQ_OK;
    if (!read_columns(context->node, all.size, columns))
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "Attention: num_heads and qkv_hidden_sizes do not fit %lld columns of the weights",
                       (long long)all.size);
    const int64_t heads = oq_node_int(context->node, "num_heads", 0);
    const oq_dim batch = oq_infer_dim(context, X, 0);
    const oq_dim length = oq_infer_dim(context, X, 1);
    const oq_dim y[] = {batch, length, oq_dim_of(columns[2])};
    oq_infer_set(context, Y, dtype, 3, y);
    if (context->output_count <= PRESENT) return ONNXQ_OK;
    const oq_dim past = oq_infer_given(context, PAST) ? oq_infer_dim(context, PAST, 3) : oq_dim_of(0);
    const oq_dim keys = oq_dim_known(past) ? oq_dim_add(length, past.size) : OQ_DIM_ANONYMOUS;
    const oq_dim present[] = {oq_dim_of(2), batch, oq_dim_of(heads), keys, oq_dim_of(columns[2] / heads)};
    oq_infer_set(context, PRESENT, dtype, 5, present);
    return ONNXQ_OK;
}

static oq_status prepare(oq_run_context *context, void **state, oq_error *err) {
    const oq_tensor *w = oq_in(context, WEIGHTS);
    oq_packed *packed = NULL;
    if (!w || w->shape.rank != 2) return ONNXQ_OK;
    OQ_TRY(
        oq_factor_pack(context, w, 1, (size_t)w->shape.dim[0], (size_t)w->shape.dim[1], false, &packed, err));
    *state = packed;
    return ONNXQ_OK;
}

static oq_status check(const oq_run_context *context, int64_t columns[3], oq_error *err) {
    const oq_shape *x = &oq_in(context, X)->shape;
    const oq_shape *w = &oq_in(context, WEIGHTS)->shape;
    const oq_tensor *bias = oq_in(context, BIAS);
    if (oq_node_int(context->node, "do_rotary", 0) ||
        oq_node_int(context->node, "past_present_share_buffer", 0))
        return oq_fail(err, ONNXQ_UNSUPPORTED,
                       "Attention with do_rotary or past_present_share_buffer is not supported: export the "
                       "model without them");
    if (x->rank != 3 || w->rank != 2 || x->dim[2] != w->dim[0] ||
        !read_columns(context->node, w->dim[1], columns) || (bias && oq_tensor_count(bias) != w->dim[1]))
        return oq_fail(
            err, ONNXQ_BAD_MODEL,
            "Attention: input, weights, bias, num_heads and qkv_hidden_sizes do not fit each other");
    return ONNXQ_OK;
}

// Input times weights plus bias: [batch, position, columns of q, k and v].
static oq_status project(oq_run_context *context, const float **out, oq_error *err) {
    const oq_shape *w = &oq_in(context, WEIGHTS)->shape;
    const oq_tensor *bias = oq_in(context, BIAS);
    const oq_packed *packed = context->state;
    const size_t k = (size_t)w->dim[0];
    const size_t n = (size_t)w->dim[1];
    const size_t m = k ? (size_t)oq_tensor_count(oq_in(context, X)) / k : 0;
    const void *values = NULL;
    void *space = NULL;
    void *block = NULL;
    oq_gemm_f32 gemm = {.m = m, .n = n, .k = k, .a_row = k, .a_column = 1, .ldc = n, .pool = context->pool};
    OQ_TRY(oq_scratch_array(context, m * n, sizeof(float), &block, err));
    OQ_TRY(oq_array_in(context, oq_in(context, X), OQ_WORK_F32, &values, err));
    gemm.a = values;
    gemm.c = block;
    if (bias) {
        OQ_TRY(oq_array_in(context, bias, OQ_WORK_F32, &values, err));
        gemm.bias = values;
    }
    if (!packed) {
        OQ_TRY(oq_array_in(context, oq_in(context, WEIGHTS), OQ_WORK_F32, &values, err));
        OQ_TRY(oq_product_space(context, OQ_WORK_F32, k, n, &space, err));
        oq_gemm_f32_pack(values, n, false, k, n, space);
    }
    gemm.b = packed ? packed->panels : space;
    oq_gemm_f32_run(&gemm);
    *out = block;
    return ONNXQ_OK;
}

// past [2, batch, head, cached, size]: keys, then values.
static oq_status read_past(oq_run_context *context, oq_multi_head *m, oq_error *err) {
    const oq_tensor *past = oq_in(context, PAST);
    const void *values = NULL;
    if (!past) return ONNXQ_OK;
    const oq_shape *shape = &past->shape;
    const oq_shape fits = OQ_SHAPE(2, (int64_t)m->batches, (int64_t)m->heads,
                                   shape->rank == 5 ? shape->dim[3] : 0, (int64_t)m->size);
    if (m->size != m->v_size || !oq_shape_equal(shape, &fits))
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "Attention: past is not of shape [2, batch, head, length, size]");
    OQ_TRY(oq_array_in(context, past, OQ_WORK_F32, &values, err));
    m->cached = (size_t)shape->dim[3];
    m->past_key = values;
    m->past_value = m->past_key + oq_tensor_count(past) / 2;
    return ONNXQ_OK;
}

static oq_status write_present(oq_run_context *context, const oq_multi_head *m, const float *keys,
                               const float *values, oq_error *err) {
    const oq_dtype dtype = oq_in(context, X)->dtype;
    const oq_shape shape = OQ_SHAPE(2, (int64_t)m->batches, (int64_t)m->heads,
                                    (int64_t)(m->cached + m->fresh), (int64_t)m->size);
    oq_tensor *out = NULL;
    if (!oq_wanted(context, PRESENT)) return ONNXQ_OK;
    if (m->size != m->v_size)
        return oq_fail(err, ONNXQ_BAD_MODEL, "Attention: present needs keys and values of one size");
    OQ_TRY(oq_out(context, PRESENT, dtype, &shape, &out, err));
    const size_t half = (size_t)oq_tensor_count(out) / 2;
    oq_store_f32(dtype, keys, out->data, half);
    oq_store_f32(dtype, values, oq_at_mutable(out->data, half, oq_dtype_bytes(dtype)), half);
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, X);
    const float *qkv = NULL;
    const float *keys = NULL;
    const float *values = NULL;
    int64_t columns[3];
    OQ_TRY(check(context, columns, err));
    OQ_TRY(project(context, &qkv, err));
    const size_t heads = (size_t)oq_node_int(context->node, "num_heads", 0);
    const size_t hidden = (size_t)columns[0];
    const size_t all = 2 * hidden + (size_t)columns[2];
    oq_multi_head m = {.batches = (size_t)x->shape.dim[0],
                       .heads = heads,
                       .queries = (size_t)x->shape.dim[1],
                       .fresh = (size_t)x->shape.dim[1],
                       .size = hidden / heads,
                       .v_size = (size_t)columns[2] / heads,
                       .mask = oq_in(context, MASK),
                       .bias = oq_in(context, SCORE_BIAS)};
    m.q = (oq_heads){.data = qkv, .of_batch = m.queries * all, .of_position = all, .of_head = m.size};
    m.k = m.q;
    m.v = m.q;
    m.k.data += hidden;
    m.v.data += 2 * hidden;
    m.v.of_head = m.v_size;
    OQ_TRY(read_past(context, &m, err));
    OQ_TRY(oq_multi_head_run(context, &m, x->dtype, &keys, &values, err));
    return write_present(context, &m, keys, values, err);
}

// The projection; scores and their product with the values.
static uint64_t macs(const oq_graph *graph, const oq_node *node) {
    const oq_type *x = oq_macs_input(graph, node, X);
    const oq_type *w = oq_macs_input(graph, node, WEIGHTS);
    const oq_type *y = oq_macs_output(graph, node, Y);
    if (!x || !w || !y || x->rank != 3) return 0;
    return oq_macs_times(oq_macs_elements(x, 0), oq_macs_dim(w, 1)) +
           oq_macs_times(oq_macs_times(oq_macs_elements(y, 0), 2), oq_macs_dim(x, 1));
}

static const oq_type_set types[] = {
    {"T", OQ_T_FLOAT32 | OQ_T(FLOAT16) | OQ_T(BFLOAT16)}, {"M", OQ_T(INT32)}, {0}};
static const oq_attr_spec attrs[] = {{"do_rotary", OQ_ATTR_INT, false},
                                     {"mask_filter_value", OQ_ATTR_FLOAT, false},
                                     {"num_heads", OQ_ATTR_INT, true},
                                     {"past_present_share_buffer", OQ_ATTR_INT, false},
                                     {"qkv_hidden_sizes", OQ_ATTR_INTS, false},
                                     {"rotary_embedding_dim", OQ_ATTR_INT, false},
                                     {"scale", OQ_ATTR_FLOAT, false},
                                     {"unidirectional", OQ_ATTR_INT, false},
                                     {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "input:T, weights:T, bias?:T, mask_index?:M, past?:T, attention_bias?:T, "
                  "past_sequence_length?:M -> output:T, present?:T",
     .types = types,
     .attrs = attrs,
     .infer = infer,
     .run = run,
     .prepare = prepare,
     .release = oq_packed_free,
     .spent = 1U << WEIGHTS,
     .macs = macs},
};
OQ_MICROSOFT_OP(Attention, versions);
