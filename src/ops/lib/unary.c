// Elementwise functions of one tensor: the driver.
#include "ops/lib/unary.h"

typedef struct unary_job {
    oq_unary_loop loop;
    oq_dtype from, into;
    const void *x;
    void *y;
    const oq_parameter *p;
} unary_job;

static void native_range(void *self, size_t from, size_t to) {
    const unary_job *job = self;
    job->loop(oq_at(job->x, from, oq_dtype_bytes(job->from)),
              oq_at_mutable(job->y, from, oq_dtype_bytes(job->into)), to - from, job->p);
}

static void block_range(void *self, size_t from, size_t to) {
    const unary_job *job = self;
    const size_t in_bytes = oq_dtype_bytes(job->from), out_bytes = oq_dtype_bytes(job->into);
    const bool store = job->into == job->from;
    oq_block block;
    for (size_t at = from; at < to; at += OQ_BLOCK) {
        const size_t n = oq_min_size(OQ_BLOCK, to - at);
        void *const y = oq_at_mutable(job->y, at, out_bytes);
        oq_work_load(job->from, oq_at(job->x, at, in_bytes), &block, n);
        job->loop(&block, store ? (void *)&block : y, n, job->p);
        if (store) oq_work_store(job->into, &block, y, n);
    }
}

oq_status oq_unary_run(oq_run_context *context, const oq_unary *f, double a, double b, oq_error *err) {
    return oq_unary_run_with(context, f, (const oq_parameter[]){{.f = a}, {.f = b}}, err);
}

oq_status oq_unary_run_with(oq_run_context *context, const oq_unary *f, const oq_parameter p[2],
                            oq_error *err) {
    const oq_tensor *x;
    oq_tensor *y;
    OQ_TRY(oq_need(context, 0, &x, err));
    unary_job job = {.loop = f->loop[oq_work_of(x->dtype)],
                     .from = x->dtype,
                     .into = f->to_bool ? ONNXQ_BOOL : x->dtype,
                     .x = x->data,
                     .p = p};
    if (!job.loop) return oq_no_loop(context, x->dtype, err);
    const size_t count = (size_t)oq_tensor_count(x);
    if (f->to_bool)
        OQ_TRY(oq_out(context, 0, ONNXQ_BOOL, &x->shape, &y, err));
    else
        OQ_TRY(oq_out_reuse(context, 0, 0, x->dtype, &x->shape, &y, err));
    job.y = y->data;
    return oq_ranges(context->pool, count, OQ_GRAIN, oq_work_is_native(job.from) ? native_range : block_range,
                     &job, err);
}
