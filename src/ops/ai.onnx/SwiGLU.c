// SwiGLU: a * sigmoid(alpha * a) * b, of two tensors of one shape.
#include "kernels/rows.h"
#include "ops/lib/infer.h"
#include "ops/lib/work.h"

#include <math.h>

typedef struct gate_job {
    oq_dtype dtype;
    float alpha;
    const void *a, *b;
    void *y;
} gate_job;

static void gate_f32(const float *a, const float *b, float *y, size_t n, float alpha) {
    float t[OQ_BLOCK] = {0};
    for (size_t i = 0; i < n; i++) t[i] = alpha * a[i];
    oq_rows_sigmoid(t, t, n);
    for (size_t i = 0; i < n; i++) y[i] = a[i] * t[i] * b[i];
}

static void gate_f64(const double *a, const double *b, double *y, size_t n, double alpha) {
    for (size_t i = 0; i < n; i++) y[i] = a[i] / (1 + exp(-alpha * a[i])) * b[i];
}

static void run_range(void *self, size_t from, size_t to) {
    const gate_job *job = self;
    const size_t bytes = oq_dtype_bytes(job->dtype);
    oq_block a, b;
    for (size_t at = from; at < to; at += OQ_BLOCK) {
        const size_t n = oq_min_size(OQ_BLOCK, to - at);
        oq_work_load(job->dtype, oq_at(job->a, at, bytes), &a, n);
        oq_work_load(job->dtype, oq_at(job->b, at, bytes), &b, n);
        if (oq_work_of(job->dtype) == OQ_WORK_F64)
            gate_f64(a.f64, b.f64, a.f64, n, (double)job->alpha);
        else
            gate_f32(a.f32, b.f32, a.f32, n, job->alpha);
        oq_work_store(job->dtype, &a, oq_at_mutable(job->y, at, bytes), n);
    }
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *a, *b;
    oq_tensor *y;
    OQ_TRY(oq_need(context, 0, &a, err));
    OQ_TRY(oq_need(context, 1, &b, err));
    if (a->dtype != b->dtype || !oq_shape_equal(&a->shape, &b->shape))
        return oq_fail(err, ONNXQ_BAD_MODEL, "SwiGLU: both inputs must have one type and one shape");
    if (!oq_dtype_info(a->dtype)->is_float) return oq_no_loop(context, a->dtype, err);
    gate_job job = {
        .dtype = a->dtype, .alpha = oq_node_float(context->node, "alpha", 1.0f), .a = a->data, .b = b->data};
    const size_t count = (size_t)oq_tensor_count(a);
    OQ_TRY(oq_out_reuse(context, 0, 0, a->dtype, &a->shape, &y, err));
    job.y = y->data;
    return oq_ranges(context->pool, count, OQ_GRAIN, run_range, &job, err);
}

static const oq_type_set types_28[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs_28[] = {{"alpha", OQ_ATTR_FLOAT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 28,
     .signature = "A:T, B:T -> Y:T",
     .types = types_28,
     .attrs = attrs_28,
     .infer = oq_infer_unary,
     .run = run},
};

OQ_ONNX_OP(SwiGLU, versions);
