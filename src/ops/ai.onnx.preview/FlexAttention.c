// FlexAttention: scaled dot product attention whose scores and probabilities may pass through bodies.
#include "ops/lib/body.h"
#include "ops/lib/infer.h"
#include "ops/lib/product.h"
#include "ops/lib/schema.h"
#include "ops/lib/softmax.h"

#include <math.h>

enum { Q, K, V };

typedef struct flex {
    oq_work_type work; // of the products
    int64_t batches, q_heads, kv_heads, queries, keys, size, v_size;
} flex;

static oq_status read_shapes(const oq_run_context *context, flex *a, oq_error *err) {
    const oq_shape *q = &oq_in(context, Q)->shape;
    const oq_shape *k = &oq_in(context, K)->shape;
    const oq_shape *v = &oq_in(context, V)->shape;
    const bool fits = q->rank == 4 && k->rank == 4 && v->rank == 4 && k->dim[0] == q->dim[0] &&
                      v->dim[0] == q->dim[0] && v->dim[1] == k->dim[1] && v->dim[2] == k->dim[2] &&
                      k->dim[3] == q->dim[3] && k->dim[1] > 0 && q->dim[1] % k->dim[1] == 0;
    if (!fits)
        return oq_fail(
            err, ONNXQ_BAD_MODEL,
            "FlexAttention needs Q, K and V of the shape [batch, heads, length, size] that fit each other");
    a->batches = q->dim[0];
    a->q_heads = q->dim[1];
    a->kv_heads = k->dim[1];
    a->queries = q->dim[2];
    a->keys = k->dim[2];
    a->size = q->dim[3];
    a->v_size = v->dim[3];
    return ONNXQ_OK;
}

// The dtype of scores and probabilities.
static oq_status score_dtype(const oq_run_context *context, oq_dtype *out, oq_error *err) {
    const bool wide = oq_in(context, Q)->dtype == ONNXQ_DOUBLE;
    const int64_t asked = oq_node_int(context->node, "softmax_precision", wide ? ONNXQ_DOUBLE : ONNXQ_FLOAT);
    *out = (oq_dtype)asked;
    if (asked == ONNXQ_FLOAT || asked == ONNXQ_DOUBLE || asked == ONNXQ_FLOAT16 || asked == ONNXQ_BFLOAT16)
        return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL, "softmax_precision %lld of FlexAttention is no type of floats",
                   (long long)asked);
}

// y[head] = a[head] b[head], m x k times k x n, for all heads of all batches; b has a->kv_heads of them.
static oq_status multiply(oq_run_context *context, const flex *a, const void *left, const void *right,
                          bool transposed, size_t n, size_t k, void *y, oq_error *err) {
    const size_t bytes = oq_work_bytes(a->work), m = (size_t)a->queries;
    oq_product p = {.work = a->work,
                    .m = m,
                    .n = n,
                    .k = k,
                    .a_row = k,
                    .a_column = 1,
                    .ldb = transposed ? k : n,
                    .b_transposed = transposed,
                    .ldc = n,
                    .pool = context->pool};
    OQ_TRY(oq_product_space(context, a->work, k, n, &p.space, err));
    const size_t group = (size_t)(a->q_heads / a->kv_heads); // batches keep whole groups
    for (size_t head = 0; head < (size_t)(a->batches * a->q_heads); head++) {
        p.a = oq_at(left, head * m * k, bytes);
        p.b = oq_at(right, head / group * n * k, bytes);
        p.c = oq_at_mutable(y, head * m * n, bytes);
        oq_product_run(&p);
    }
    return ONNXQ_OK;
}

// `scores` through the body of attribute `name`, when there is one.
static oq_status modify(oq_run_context *context, const char *name, oq_value *scores, oq_error *err) {
    oq_graph *body;
    oq_value result = {0};
    if (!oq_node_attr(context->node, name)) return ONNXQ_OK;
    OQ_TRY(oq_body_of(context->node, name, &body, err));
    OQ_TRY(context->run_graph(context, body, scores, 1, &result, 1, err));
    const bool same = result.kind == OQ_VALUE_TENSOR && result.tensor.dtype == scores->tensor.dtype &&
                      oq_shape_equal(&result.tensor.shape, &scores->tensor.shape);
    oq_value_release(scores);
    *scores = result;
    return same ? ONNXQ_OK
                : oq_fail(err, ONNXQ_BAD_MODEL, "%s of FlexAttention changes shape or type of its input",
                          name);
}

// q k' * scale as a value of `dtype`.
static oq_status make_scores(oq_run_context *context, const flex *a, oq_dtype dtype, oq_value *out,
                             oq_error *err) {
    const float given = oq_node_float(context->node, "scale", 0);
    const double scale = oq_node_attr(context->node, "scale") ? (double)given : 1 / sqrt((double)a->size);
    const oq_shape shape = OQ_SHAPE(a->batches, a->q_heads, a->queries, a->keys);
    const size_t count = (size_t)oq_shape_count(&shape);
    const void *q, *k;
    void *products;
    oq_tensor scores;
    OQ_TRY(oq_array_in(context, oq_in(context, Q), a->work, &q, err));
    OQ_TRY(oq_array_in(context, oq_in(context, K), a->work, &k, err));
    OQ_TRY(oq_scratch_array(context, count, oq_work_bytes(a->work), &products, err));
    OQ_TRY(multiply(context, a, q, k, true, (size_t)a->keys, (size_t)a->size, products, err));
    for (size_t i = 0; i < count; i++) {
        if (a->work == OQ_WORK_F32)
            ((float *)products)[i] *= (float)scale;
        else
            ((double *)products)[i] *= scale;
    }
    OQ_TRY(oq_tensor_new(context->mem, dtype, &shape, &scores, err));
    oq_work_store_as(a->work, dtype, products, scores.data, count);
    *out = oq_value_of_tensor(scores);
    return ONNXQ_OK;
}

static oq_status finish(oq_run_context *context, const flex *a, oq_value *scores, oq_error *err) {
    const oq_axis_view rows = {
        .outer = (size_t)(a->batches * a->q_heads * a->queries), .axis = (size_t)a->keys, .inner = 1};
    const oq_shape shape = OQ_SHAPE(a->batches, a->q_heads, a->queries, a->v_size);
    const void *probabilities, *v;
    oq_array_target y;
    OQ_TRY(modify(context, "score_mod", scores, err));
    oq_tensor *made = &scores->tensor;
    oq_tensor softmax;
    OQ_TRY(oq_tensor_new(context->mem, made->dtype, &made->shape, &softmax, err));
    const oq_status status =
        oq_softmax_apply(context, OQ_SOFTMAX, made->dtype, rows, made->data, softmax.data, err);
    oq_value_release(scores);
    *scores = oq_value_of_tensor(softmax);
    OQ_TRY(status);
    OQ_TRY(modify(context, "prob_mod", scores, err));
    OQ_TRY(oq_array_in(context, &scores->tensor, a->work, &probabilities, err));
    OQ_TRY(oq_array_in(context, oq_in(context, V), a->work, &v, err));
    OQ_TRY(oq_array_out(context, 0, oq_in(context, Q)->dtype, &shape, a->work, &y, err));
    OQ_TRY(multiply(context, a, probabilities, v, false, (size_t)a->v_size, (size_t)a->keys, y.data, err));
    oq_array_finish(&y);
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    flex a = {0};
    oq_dtype dtype;
    oq_value scores = {0};
    OQ_TRY(read_shapes(context, &a, err));
    OQ_TRY(score_dtype(context, &dtype, err));
    a.work = dtype == ONNXQ_DOUBLE || oq_in(context, Q)->dtype == ONNXQ_DOUBLE ? OQ_WORK_F64 : OQ_WORK_F32;
    oq_status status = make_scores(context, &a, dtype, &scores, err);
    if (status == ONNXQ_OK) status = finish(context, &a, &scores, err);
    oq_value_release(&scores);
    return status;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_dim batch = oq_infer_dim(context, Q, 0), heads = oq_infer_dim(context, Q, 1);
    const oq_dim queries = oq_infer_dim(context, Q, 2);
    const oq_dim y[] = {batch, heads, queries, oq_infer_dim(context, V, 3)};
    const oq_dim scores[] = {batch, heads, queries, oq_infer_dim(context, K, 2)};
    const int64_t wide = oq_infer_dtype(context, Q) == ONNXQ_DOUBLE ? ONNXQ_DOUBLE : ONNXQ_FLOAT;
    const oq_type type =
        oq_type_tensor((oq_dtype)oq_node_int(context->node, "softmax_precision", wide), 4, scores);
    static const char *const names[] = {"score_mod", "prob_mod"};
    for (size_t i = 0; i < 2; i++) {
        oq_graph *body;
        if (!oq_node_attr(context->node, names[i])) continue;
        OQ_TRY(oq_body_of(context->node, names[i], &body, err));
        OQ_TRY(context->infer_graph(context, body, &type, 1, err));
    }
    oq_infer_set(context, 0, oq_infer_dtype(context, Q), 4, y);
    return ONNXQ_OK;
}

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "Q:T1, K:T1, V:T1 -> Y:T1",
     .types = OQ_TYPES({"T1", OQ_T_FLOATS4}),
     .attrs = OQ_ATTRS({"prob_mod", OQ_ATTR_GRAPH, false}, {"scale", OQ_ATTR_FLOAT, false},
                       {"score_mod", OQ_ATTR_GRAPH, false}, {"softmax_precision", OQ_ATTR_INT, false}),
     .infer = infer,
     .run = run},
};

OQ_OP(ai_onnx_preview, FlexAttention, "ai.onnx.preview", versions, OQ_OP_BODY);
