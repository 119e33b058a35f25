// Elementwise functions of any number of tensors with broadcasting: the driver.
#include "ops/lib/variadic.h"

#include <string.h>

typedef struct variadic_job {
    oq_broadcast *plans; // one per input
    const oq_tensor **inputs;
    size_t input_count;
    oq_binary_loop loop;
    oq_dtype dtype;
    bool mean;
    void *y;
} variadic_job;

static void load(const variadic_job *job, size_t k, size_t at, size_t n, oq_block *into) {
    oq_block buffer;
    const size_t bytes = oq_dtype_bytes(job->dtype);
    const void *from = oq_broadcast_gather(&job->plans[k], 0, job->inputs[k]->data, bytes, at, n, &buffer);
    oq_work_load(job->dtype, from, into, n);
}

static void divide(oq_work_type work, oq_block *block, size_t n, double by) {
    for (size_t i = 0; i < n; i++) {
        if (work == OQ_WORK_F32)
            block->f32[i] /= (float)by;
        else
            block->f64[i] /= by;
    }
}

static void run_range(void *self, size_t from, size_t to) {
    const variadic_job *job = self;
    const size_t bytes = oq_dtype_bytes(job->dtype);
    oq_block sum, next;
    for (size_t at = from; at < to; at += OQ_BLOCK) {
        const size_t n = oq_min_size(OQ_BLOCK, to - at);
        load(job, 0, at, n, &sum);
        for (size_t k = 1; k < job->input_count; k++) {
            load(job, k, at, n, &next);
            job->loop(&sum, 1, &next, 1, &sum, n);
        }
        if (job->mean) divide(oq_work_of(job->dtype), &sum, n, (double)job->input_count);
        oq_work_store(job->dtype, &sum, oq_at_mutable(job->y, at, bytes), n);
    }
}

// Shape and dtype of all inputs together.
static oq_status join_inputs(oq_run_context *context, const oq_tensor **inputs, oq_shape *shape,
                             oq_error *err) {
    for (size_t k = 0; k < context->input_count; k++) {
        OQ_TRY(oq_need(context, k, &inputs[k], err));
        if (inputs[k]->dtype != inputs[0]->dtype)
            return oq_fail(err, ONNXQ_BAD_MODEL, "%s of %s and %s: the inputs must have one type",
                           context->node->op_type, onnxq_dtype_name(inputs[0]->dtype),
                           onnxq_dtype_name(inputs[k]->dtype));
        oq_shape both = inputs[k]->shape;
        if (k > 0) OQ_TRY(oq_shape_broadcast(shape, &inputs[k]->shape, &both, err));
        *shape = both;
    }
    return oq_shape_check(shape, 8, NULL, err);
}

oq_status oq_variadic_run(oq_run_context *context, const oq_binary *f, bool mean, oq_error *err) {
    const size_t count = context->input_count;
    if (!count) return oq_fail(err, ONNXQ_BAD_MODEL, "%s without inputs", context->node->op_type);
    if (count == 2 && !mean) return oq_binary_run(context, f, err);
    const oq_tensor **inputs = oq_scratch(context, count * sizeof(void *), err);
    oq_broadcast *plans = oq_scratch(context, count * sizeof *plans, err);
    if (!inputs || !plans) return ONNXQ_NO_MEMORY;
    oq_shape shape = {0};
    OQ_TRY(join_inputs(context, inputs, &shape, err));
    for (size_t k = 0; k < count; k++)
        oq_broadcast_plan(&plans[k], &shape, (const oq_shape *[]){&inputs[k]->shape}, 1);
    variadic_job job = {.plans = plans,
                        .inputs = inputs,
                        .input_count = count,
                        .dtype = inputs[0]->dtype,
                        .loop = f->loop[oq_work_of(inputs[0]->dtype)],
                        .mean = mean};
    if (!job.loop) return oq_no_loop(context, job.dtype, err);
    oq_tensor *y;
    OQ_TRY(oq_out(context, 0, job.dtype, &shape, &y, err));
    job.y = y->data;
    return oq_ranges(context->pool, plans[0].count, OQ_GRAIN, run_range, &job, err);
}
