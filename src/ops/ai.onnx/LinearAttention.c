// LinearAttention: attention without softmax, as a state per head that every token decays, corrects and
// reads.
#include "ops/lib/array.h"
#include "ops/lib/infer.h"
#include "ops/lib/schema.h"

#include "base/math.h"

#include <math.h>
#include <string.h>

enum { QUERY, KEY, VALUE, PAST, DECAY, BETA };

// Arrays are [batch, token, head * size]; heads of q share the state of head / (q_heads / kv_heads).
typedef struct linear {
    size_t batches, tokens, q_heads, kv_heads, k_size, v_size;
    const float *q, *k, *v, *past; // past: [batch, kv head, k_size, v_size] or NULL: zeros
    const float *decay;            // logarithm, `decays` a token and kv head (1 or k_size); or NULL
    const float *beta;             // `betas` a token (1 or kv_heads); or NULL
    size_t decays, betas;
    float scale;
    float *y, *state, *change; // change: [v_size]
} linear;

static oq_status does_not_fit(const char *what, oq_error *err) {
    return oq_fail(err, ONNXQ_BAD_MODEL, "%s of LinearAttention does not fit its other inputs", what);
}

static bool has_shape(const oq_tensor *tensor, const oq_shape *shape) {
    return oq_shape_equal(&tensor->shape, shape);
}

static oq_status read_shapes(const oq_run_context *context, linear *a, oq_error *err) {
    const int64_t q_heads = oq_node_int(context->node, "q_num_heads", 0);
    const int64_t kv_heads = oq_node_int(context->node, "kv_num_heads", 0);
    const oq_shape *q = &oq_in(context, QUERY)->shape;
    const oq_shape *k = &oq_in(context, KEY)->shape;
    const oq_shape *v = &oq_in(context, VALUE)->shape;
    if (q->rank != 3 || k->rank != 3 || v->rank != 3) return does_not_fit("the rank", err);
    if (q_heads < 1 || kv_heads < 1 || q_heads % kv_heads != 0 || q->dim[2] % q_heads != 0 ||
        v->dim[2] % kv_heads != 0)
        return does_not_fit("the number of heads", err);
    a->batches = (size_t)q->dim[0];
    a->tokens = (size_t)q->dim[1];
    a->q_heads = (size_t)q_heads;
    a->kv_heads = (size_t)kv_heads;
    a->k_size = (size_t)(q->dim[2] / q_heads);
    a->v_size = (size_t)(v->dim[2] / kv_heads);
    const oq_shape keys = OQ_SHAPE(q->dim[0], q->dim[1], kv_heads * (int64_t)a->k_size);
    const bool same = oq_shape_equal(k, &keys) && v->dim[0] == q->dim[0] && v->dim[1] == q->dim[1];
    return same ? ONNXQ_OK : does_not_fit("the shape of key or value", err);
}

// Decay and beta are there exactly when the update rule names them.
static oq_status read_gates(oq_run_context *context, linear *a, oq_error *err) {
    const char *rule = oq_node_string(context->node, "update_rule", "gated_delta");
    const bool gated = strncmp(rule, "gated", 5) == 0;
    const bool delta = strcmp(rule, "delta") == 0 || strcmp(rule, "gated_delta") == 0;
    if (!delta && strcmp(rule, "gated") != 0 && strcmp(rule, "linear") != 0)
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "update_rule of LinearAttention is '%s', not linear, gated, delta or gated_delta",
                       rule);
    const oq_tensor *decay = oq_in(context, DECAY);
    const oq_tensor *beta = oq_in(context, BETA);
    if (!decay == gated || !beta == delta)
        return oq_fail(err, ONNXQ_BAD_MODEL, "LinearAttention by the rule '%s' needs %s decay and %s beta",
                       rule, gated ? "a" : "no", delta ? "a" : "no");
    const int64_t batches = (int64_t)a->batches, tokens = (int64_t)a->tokens, heads = (int64_t)a->kv_heads;
    const oq_shape head = OQ_SHAPE(batches, tokens, heads);
    const oq_shape feature = OQ_SHAPE(batches, tokens, heads * (int64_t)a->k_size);
    const oq_shape token = OQ_SHAPE(batches, tokens, 1);
    const void *data = NULL;
    if (decay) {
        if (!has_shape(decay, &head) && !has_shape(decay, &feature)) return does_not_fit("decay", err);
        a->decays = has_shape(decay, &head) ? 1 : a->k_size;
        OQ_TRY(oq_array_in(context, decay, OQ_WORK_F32, &data, err));
        a->decay = data;
    }
    if (!beta) return ONNXQ_OK;
    if (!has_shape(beta, &head) && !has_shape(beta, &token)) return does_not_fit("beta", err);
    a->betas = has_shape(beta, &head) ? a->kv_heads : 1;
    OQ_TRY(oq_array_in(context, beta, OQ_WORK_F32, &data, err));
    a->beta = data;
    return ONNXQ_OK;
}

// state = exp(g) * state + k (beta * (v - state' k))', rows of `state` along the features of k.
static void update(const linear *a, size_t place, size_t head, float *state) {
    const size_t at = place * a->kv_heads + head;
    const float *k = a->k + at * a->k_size;
    for (size_t d = 0; a->decay && d < a->k_size; d++) {
        const float factor = oq_expf(a->decay[at * a->decays + (a->decays > 1 ? d : 0)]);
        for (size_t m = 0; m < a->v_size; m++) state[d * a->v_size + m] *= factor;
    }
    memcpy(a->change, a->v + at * a->v_size, a->v_size * sizeof(float));
    if (a->beta) {
        const float beta = a->beta[place * a->betas + (a->betas > 1 ? head : 0)];
        for (size_t d = 0; d < a->k_size; d++)
            for (size_t m = 0; m < a->v_size; m++) a->change[m] -= k[d] * state[d * a->v_size + m];
        for (size_t m = 0; m < a->v_size; m++) a->change[m] *= beta;
    }
    for (size_t d = 0; d < a->k_size; d++)
        for (size_t m = 0; m < a->v_size; m++) state[d * a->v_size + m] += k[d] * a->change[m];
}

// y = scale * state' q for one query head.
static void read_out(const linear *a, size_t place, size_t head, const float *state) {
    const float *q = a->q + (place * a->q_heads + head) * a->k_size;
    float *y = a->y + (place * a->q_heads + head) * a->v_size;
    for (size_t m = 0; m < a->v_size; m++) y[m] = 0;
    for (size_t d = 0; d < a->k_size; d++)
        for (size_t m = 0; m < a->v_size; m++) y[m] += q[d] * state[d * a->v_size + m];
    for (size_t m = 0; m < a->v_size; m++) y[m] *= a->scale;
}

static void attend(const linear *a) {
    const size_t size = a->k_size * a->v_size, group = a->q_heads / a->kv_heads;
    for (size_t i = 0; i < a->batches * a->kv_heads; i++) {
        const size_t head = i % a->kv_heads;
        float *state = a->state + i * size;
        for (size_t t = 0; t < a->tokens; t++) {
            const size_t place = i / a->kv_heads * a->tokens + t;
            update(a, place, head, state);
            for (size_t h = 0; h < group; h++) read_out(a, place, head * group + h, state);
        }
    }
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *query = oq_in(context, QUERY), *past = oq_in(context, PAST);
    linear a = {.scale = oq_node_float(context->node, "scale", 0)};
    OQ_TRY(read_shapes(context, &a, err));
    OQ_TRY(read_gates(context, &a, err));
    if (a.scale == 0) a.scale = (float)(1 / sqrt((double)a.k_size));
    const oq_shape states =
        OQ_SHAPE((int64_t)a.batches, (int64_t)a.kv_heads, (int64_t)a.k_size, (int64_t)a.v_size);
    const oq_shape outputs = OQ_SHAPE((int64_t)a.batches, (int64_t)a.tokens, (int64_t)(a.q_heads * a.v_size));
    if (past && !has_shape(past, &states)) return does_not_fit("past_state", err);
    const void *in[4] = {NULL};
    for (size_t i = QUERY; i <= PAST; i++)
        if (oq_in(context, i)) OQ_TRY(oq_array_in(context, oq_in(context, i), OQ_WORK_F32, &in[i], err));
    a.q = in[QUERY];
    a.k = in[KEY];
    a.v = in[VALUE];
    oq_array_target y, state;
    OQ_TRY(oq_array_out(context, 0, query->dtype, &outputs, OQ_WORK_F32, &y, err));
    OQ_TRY(oq_array_out(context, 1, past ? past->dtype : query->dtype, &states, OQ_WORK_F32, &state, err));
    void *change;
    OQ_TRY(oq_scratch_array(context, a.v_size, sizeof(float), &change, err));
    a.y = y.data;
    a.state = state.data;
    a.change = change;
    const size_t count = (size_t)oq_shape_count(&states);
    for (size_t i = 0; i < count; i++) a.state[i] = past ? ((const float *)in[PAST])[i] : 0;
    attend(&a);
    oq_array_finish(&y);
    oq_array_finish(&state);
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const int64_t q_heads = oq_node_int(context->node, "q_num_heads", 0);
    const int64_t kv_heads = oq_node_int(context->node, "kv_num_heads", 0);
    (void)err;
    if (q_heads < 1 || kv_heads < 1) return ONNXQ_OK;
    const oq_dim batch = oq_infer_dim(context, QUERY, 0);
    const oq_dim k_size = oq_dim_divide(oq_infer_dim(context, QUERY, 2), q_heads);
    const oq_dim v_size = oq_dim_divide(oq_infer_dim(context, VALUE, 2), kv_heads);
    const oq_dim y[] = {batch, oq_infer_dim(context, QUERY, 1), oq_dim_multiply(oq_dim_of(q_heads), v_size)};
    const oq_dim state[] = {batch, oq_dim_of(kv_heads), k_size, v_size};
    oq_infer_set(context, 0, oq_infer_dtype(context, QUERY), 3, y);
    oq_infer_set(context, 1, oq_infer_dtype(context, oq_infer_given(context, PAST) ? PAST : QUERY), 4, state);
    const oq_type *past = oq_infer_in(context, PAST);
    for (int d = 0; past && past->rank == 4 && context->output_count > 1 && d < 4; d++)
        if (!oq_dim_known(context->out[1].dim[d])) context->out[1].dim[d] = past->dim[d];
    return ONNXQ_OK;
}

#define FLOATS (OQ_T_FLOAT32 | OQ_T(FLOAT16) | OQ_T(BFLOAT16))
static const oq_op_version versions[] = {
    {.since = 27,
     .signature = "query:T, key:T, value:T, past_state?:S, decay?:T, beta?:T -> output:T, present_state:S",
     .types = OQ_TYPES({"T", FLOATS}, {"S", FLOATS}),
     .attrs = OQ_ATTRS({"chunk_size", OQ_ATTR_INT, false}, {"kv_num_heads", OQ_ATTR_INT, true},
                       {"q_num_heads", OQ_ATTR_INT, true}, {"scale", OQ_ATTR_FLOAT, false},
                       {"update_rule", OQ_ATTR_STRING, false}),
     .infer = infer,
     .run = run},
};

OQ_ONNX_OP(LinearAttention, versions);
