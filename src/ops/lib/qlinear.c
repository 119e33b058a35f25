// The QLinear operators of com.microsoft that go element by element.
#include "ops/lib/qlinear.h"

#include "kernels/rows.h"
#include "ops/lib/broadcast.h"
#include "ops/lib/infer.h"

#include <math.h>

oq_status oq_qlinear_read(oq_run_context *context, size_t scale, size_t zero, const char *what,
                          oq_qlinear *out, oq_error *err) {
    oq_qparams p;
    OQ_TRY(oq_qparams_read(context, scale, zero, what, &p, err));
    if (p.count != 1)
        return oq_fail(err, ONNXQ_BAD_MODEL, "%s: %s must have one scale and one zero point, not %zu",
                       context->node->op_type, what, p.count);
    *out = (oq_qlinear){oq_qparams_scale(&p, 0), p.zero[0]};
    return ONNXQ_OK;
}

// --- functions of one tensor ---

void oq_qlinear_table(oq_dtype dtype, oq_qlinear x, oq_qlinear y, oq_qlinear_function f, float parameter,
                      uint8_t table[256]) {
    uint8_t bytes[256];
    float values[256];
    for (size_t i = 0; i < 256; i++) bytes[i] = (uint8_t)i;
    oq_rows_dequantize_8(bytes, x.scale, x.zero, dtype == ONNXQ_INT8, values, 256);
    f(values, values, 256, parameter);
    oq_rows_quantize_8(values, y.scale, y.zero, dtype == ONNXQ_INT8, table, 256);
}

typedef struct lookup {
    uint8_t table[256];
    const uint8_t *x;
    uint8_t *y;
} lookup;

static void lookup_range(void *self, size_t from, size_t to) {
    const lookup *l = self;
    for (size_t i = from; i < to; i++) l->y[i] = l->table[l->x[i]];
}

oq_status oq_qlinear_unary_run(oq_run_context *context, oq_qlinear_function f, float parameter,
                               oq_error *err) {
    enum { X, X_SCALE, X_ZERO, Y_SCALE, Y_ZERO };
    const oq_tensor *x = oq_in(context, X);
    oq_qlinear in;
    oq_qlinear out;
    OQ_TRY(oq_qlinear_read(context, X_SCALE, X_ZERO, "X", &in, err));
    OQ_TRY(oq_qlinear_read(context, Y_SCALE, Y_ZERO, "Y", &out, err));
    lookup l = {.x = x->data};
    oq_tensor *y = NULL;
    const size_t count = (size_t)oq_tensor_count(x);
    oq_qlinear_table(x->dtype, in, out, f, parameter, l.table);
    OQ_TRY(oq_out_reuse(context, 0, X, x->dtype, &x->shape, &y, err));
    l.y = y->data;
    return oq_ranges(context->pool, count, OQ_GRAIN, lookup_range, &l, err);
}

// --- functions of two tensors ---

enum { A, A_SCALE, A_ZERO, B, B_SCALE, B_ZERO, C_SCALE, C_ZERO };

void oq_qlinear_store(oq_dtype dtype, const float *x, uint8_t *q, size_t n) {
    const float low = dtype == ONNXQ_INT8 ? -128.0F : 0.0F;
    const float high = dtype == ONNXQ_INT8 ? 127.0F : 255.0F;
    for (size_t i = 0; i < n; i++) {
        const float r = rintf(x[i]);
        q[i] = (uint8_t)(int32_t)(r > high ? high : r > low ? r : low);
    }
}

typedef struct binary_job {
    oq_qlinear_pair pair;
    oq_qlinear_block block;
    oq_broadcast plan;
    oq_dtype dtype;
    const void *a, *b;
    uint8_t *c;
} binary_job;

static void binary_range(void *self, size_t from, size_t to) {
    const binary_job *job = self;
    uint8_t bytes[OQ_BLOCK];
    float a[OQ_BLOCK];
    float b[OQ_BLOCK];
    float c[OQ_BLOCK];
    for (size_t at = from; at < to; at += OQ_BLOCK) {
        const size_t n = oq_min_size(OQ_BLOCK, to - at);
        oq_load_f32(job->dtype, oq_broadcast_gather(&job->plan, 0, job->a, 1, at, n, bytes), a, n);
        oq_load_f32(job->dtype, oq_broadcast_gather(&job->plan, 1, job->b, 1, at, n, bytes), b, n);
        job->block(&job->pair, a, b, c, n);
        oq_qlinear_store(job->dtype, c, job->c + at, n);
    }
}

oq_status oq_qlinear_binary_run(oq_run_context *context, oq_qlinear_block block, oq_error *err) {
    const oq_tensor *a = oq_in(context, A);
    const oq_tensor *b = oq_in(context, B);
    binary_job job = {.block = block, .dtype = a->dtype, .a = a->data, .b = b->data};
    OQ_TRY(oq_qlinear_read(context, A_SCALE, A_ZERO, "A", &job.pair.a, err));
    OQ_TRY(oq_qlinear_read(context, B_SCALE, B_ZERO, "B", &job.pair.b, err));
    OQ_TRY(oq_qlinear_read(context, C_SCALE, C_ZERO, "C", &job.pair.c, err));
    oq_shape shape;
    oq_tensor *c = NULL;
    OQ_TRY(oq_shape_broadcast(&a->shape, &b->shape, &shape, err));
    oq_broadcast_plan(&job.plan, &shape, (const oq_shape *[]){&a->shape, &b->shape}, 2);
    job.pair.a_stands = !job.plan.step[0] && job.plan.step[1];
    OQ_TRY(oq_out(context, 0, a->dtype, &shape, &c, err));
    job.c = c->data;
    return oq_ranges(context->pool, job.plan.count, OQ_GRAIN, binary_range, &job, err);
}

oq_status oq_qlinear_binary_infer(oq_infer_context *context, oq_error *err) {
    const oq_type *a = oq_infer_in(context, A);
    const oq_type *b = oq_infer_in(context, B);
    if (!a || !b || a->rank < 0 || b->rank < 0) return ONNXQ_OK;
    const int rank = a->rank > b->rank ? a->rank : b->rank;
    oq_dim dims[OQ_MAX_RANK];
    for (int i = 0; i < rank; i++) {
        const int ai = i - (rank - a->rank);
        const int bi = i - (rank - b->rank);
        OQ_TRY(oq_infer_broadcast_dim(context, ai < 0 ? oq_dim_of(1) : a->dim[ai],
                                      bi < 0 ? oq_dim_of(1) : b->dim[bi], &dims[i], err));
    }
    oq_infer_set(context, 0, a->dtype, rank, dims);
    return ONNXQ_OK;
}
