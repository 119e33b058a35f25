// Scaled dot product attention over heads.
#include "ops/lib/attention.h"

#include "base/math.h"
#include "kernels/rows.h"

#include <math.h>

// What one head needs beside its inputs.
typedef struct state {
    const oq_attention *a;
    size_t batch, head;
    void *scores; // [queries, keys]
    void *bias;   // [keys]
    void *space;  // for packing k or v
} state;

// Keys that query `i` may attend to by position: [*from, *to).
static void reach(const oq_attention *a, size_t batch, size_t i, int64_t *from, int64_t *to) {
    const int64_t keys = (int64_t)a->keys;
    const int64_t offset = a->valid ? a->valid[batch] - (int64_t)a->queries : (int64_t)a->cached;
    const int64_t place = offset + (int64_t)i;
    *from = 0;
    *to = keys;
    if (a->valid && a->valid[batch] < *to) *to = a->valid[batch];
    if (a->causal && place + 1 < *to) *to = place + 1;
    if (a->right >= 0 && a->right < keys && place + a->right + 1 < *to) *to = place + a->right + 1;
    if (a->left >= 0 && a->left < place) *from = place - a->left;
}

static void exp_f64(const double *x, double *y, size_t n) {
    for (size_t i = 0; i < n; i++) y[i] = exp(x[i]);
}
static double sum_f64(const double *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

// A row of scores to probabilities; a query that may attend to nothing gets zeros.
#define ATTEND(SUFFIX, T, TANH, EXP, SUM)                                                                    \
    static bool bias_##SUFFIX(const state *s, size_t i, T *bias) {                                           \
        const oq_attention *a = s->a;                                                                        \
        const int64_t *stride = a->mask_stride;                                                              \
        const int64_t row =                                                                                  \
            (int64_t)s->batch * stride[0] + (int64_t)s->head * stride[1] + (int64_t)i * stride[2];           \
        const T none = -(T)INFINITY;                                                                         \
        int64_t from;                                                                                        \
        int64_t to;                                                                                          \
        bool any = false;                                                                                    \
        reach(a, s->batch, i, &from, &to);                                                                   \
        for (int64_t j = 0; j < (int64_t)a->keys; j++) {                                                     \
            T value = j < from || j >= to ? none : 0;                                                        \
            if (a->mask && j >= (int64_t)a->mask_keys) value = none;                                         \
            if (a->mask && value == 0) value = ((const T *)a->mask)[row + j * stride[3]];                    \
            bias[j] = value;                                                                                 \
            any = any || value != none;                                                                      \
        }                                                                                                    \
        return any;                                                                                          \
    }                                                                                                        \
    static void softmax_##SUFFIX(T *x, size_t n) {                                                           \
        T most = -(T)INFINITY;                                                                               \
        for (size_t j = 0; j < n; j++) most = x[j] > most || x[j] != x[j] ? x[j] : most;                     \
        if (most == -(T)INFINITY) {                                                                          \
            for (size_t j = 0; j < n; j++) x[j] = 0;                                                         \
            return;                                                                                          \
        }                                                                                                    \
        for (size_t j = 0; j < n; j++) x[j] -= most;                                                         \
        EXP(x, x, n);                                                                                        \
        const T sum = SUM(x, n);                                                                             \
        for (size_t j = 0; j < n; j++) x[j] /= sum;                                                          \
    }                                                                                                        \
    static void row_##SUFFIX(const state *s, size_t i, T *x, void (*show)(const state *, size_t, int)) {     \
        const oq_attention *a = s->a;                                                                        \
        const size_t n = a->keys;                                                                            \
        const T cap = (T)a->softcap;                                                                         \
        T *bias = s->bias;                                                                                   \
        for (size_t j = 0; j < n; j++) x[j] *= (T)a->scale;                                                  \
        show(s, i, 0);                                                                                       \
        for (size_t j = 0; j < n && cap > 0; j++) x[j] = cap * TANH(x[j] / cap);                             \
        show(s, i, 1);                                                                                       \
        const bool any = bias_##SUFFIX(s, i, bias);                                                          \
        for (size_t j = 0; j < n; j++) x[j] += bias[j];                                                      \
        show(s, i, 2);                                                                                       \
        if (any) {                                                                                           \
            softmax_##SUFFIX(x, n);                                                                          \
        } else {                                                                                             \
            for (size_t j = 0; j < n; j++) x[j] = 0;                                                         \
        }                                                                                                    \
        show(s, i, 3);                                                                                       \
    }
ATTEND(f32, float, oq_tanhf, oq_rows_exp, oq_rows_sum)
ATTEND(f64, double, tanh, exp_f64, sum_f64)

// Copies row `i` of the scores to the optional output when that asks for this stage.
static void show(const state *s, size_t i, int stage) {
    const oq_attention *a = s->a;
    if (!a->seen || a->mode != stage) return;
    const size_t row = (s->batch * a->q_heads + s->head) * a->queries + i;
    const void *from = oq_at(s->scores, i * a->keys, oq_work_bytes(a->work));
    void *to = oq_at_mutable(a->seen->data, row * a->keys, oq_dtype_bytes(a->seen->dtype));
    oq_work_store_as(a->work, a->seen->dtype, from, to, a->keys);
}

static void run_head(const oq_run_context *context, const state *s) {
    const oq_attention *a = s->a;
    const size_t size = oq_work_bytes(a->work);
    const size_t kv = s->batch * a->kv_heads + s->head / (a->q_heads / a->kv_heads);
    const size_t q_head = a->flat ? s->batch * a->queries * a->q_heads + s->head
                                  : (s->batch * a->q_heads + s->head) * a->queries;
    const size_t row_heads = a->flat ? a->q_heads : 1; // heads from one query's row to the next
    oq_product p = {.work = a->work,
                    .m = a->queries,
                    .n = a->keys,
                    .k = a->size,
                    .a = oq_at(a->q, q_head * a->size, size),
                    .a_row = row_heads * a->size,
                    .a_column = 1,
                    .b = oq_at(a->k, kv * a->keys * a->size, size),
                    .ldb = a->size,
                    .b_transposed = true,
                    .space = s->space,
                    .c = s->scores,
                    .ldc = a->keys,
                    .pool = context->pool};
    oq_product_run(&p);
    for (size_t i = 0; i < a->queries; i++) {
        void *row = oq_at_mutable(s->scores, i * a->keys, size);
        if (a->work == OQ_WORK_F32) {
            row_f32(s, i, row, show);
        } else {
            row_f64(s, i, row, show);
        }
    }
    p.n = a->v_size;
    p.k = a->keys;
    p.a = s->scores;
    p.a_row = a->keys;
    p.b = oq_at(a->v, kv * a->keys * a->v_size, size);
    p.ldb = a->v_size;
    p.b_transposed = false;
    p.c = oq_at_mutable(a->y, q_head * a->v_size, size);
    p.ldc = row_heads * a->v_size;
    oq_product_run(&p);
}

oq_status oq_attention_run(oq_run_context *context, const oq_attention *a, oq_error *err) {
    state s = {.a = a};
    const size_t size = oq_work_bytes(a->work);
    size_t count = 0;
    if (!oq_mul_size(a->queries, a->keys, &count)) {
        return oq_fail(err, ONNXQ_NO_MEMORY, "the scores of %zu queries and %zu keys do not fit in memory",
                       a->queries, a->keys);
    }
    OQ_TRY(oq_scratch_array(context, count, size, &s.scores, err));
    OQ_TRY(oq_scratch_array(context, a->keys, size, &s.bias, err));
    // One space serves both packings: k' is [size, keys], v is [keys, v_size].
    void *second = NULL;
    OQ_TRY(oq_product_space(context, a->work, a->size, a->keys, &s.space, err));
    OQ_TRY(oq_product_space(context, a->work, a->keys, a->v_size, &second, err));
    if (oq_gemm_f32_packed_bytes(a->keys, a->v_size) > oq_gemm_f32_packed_bytes(a->size, a->keys))
        s.space = second;
    for (s.batch = 0; s.batch < a->batches; s.batch++) {
        for (s.head = 0; s.head < a->q_heads; s.head++) run_head(context, &s);
    }
    return ONNXQ_OK;
}
