// Running sums and products along an axis (CumSum, CumProd).
#include "ops/lib/scan.h"

#include "ops/lib/axes.h"

typedef struct scan_job {
    oq_axis_view view;
    oq_binary_loop loop;
    oq_dtype dtype;
    bool exclusive, reverse;
    double first;
    const void *x;
    void *y;
} scan_job;

static void fill(oq_work_type work, double value, oq_block *block, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (work == OQ_WORK_F32)
            block->f32[i] = (float)value;
        else if (work == OQ_WORK_F64)
            block->f64[i] = value;
        else
            block->i64[i] = (int64_t)value;
    }
}

// Columns [from, from + n) of one outer index: row after row along the axis.
static void scan_columns(const scan_job *job, size_t outer, size_t from, size_t n) {
    const oq_axis_view v = job->view;
    const size_t bytes = oq_dtype_bytes(job->dtype);
    oq_block sum, row;
    fill(oq_work_of(job->dtype), job->first, &sum, n);
    for (size_t step = 0; step < v.axis; step++) {
        const size_t r = job->reverse ? v.axis - 1 - step : step;
        const size_t at = (outer * v.axis + r) * v.inner + from;
        oq_work_load(job->dtype, oq_at(job->x, at, bytes), &row, n); // before y, which may be x
        if (job->exclusive) oq_work_store(job->dtype, &sum, oq_at_mutable(job->y, at, bytes), n);
        job->loop(&sum, 1, &row, 1, &sum, n);
        if (!job->exclusive) oq_work_store(job->dtype, &sum, oq_at_mutable(job->y, at, bytes), n);
    }
}

static void run_range(void *self, size_t from, size_t to) {
    const scan_job *job = self;
    for (size_t outer = from; outer < to; outer++)
        for (size_t at = 0; at < job->view.inner; at += OQ_BLOCK)
            scan_columns(job, outer, at, oq_min_size(OQ_BLOCK, job->view.inner - at));
}

oq_status oq_scan_run(oq_run_context *context, const oq_binary *f, double first, oq_error *err) {
    const oq_tensor *x, *axis;
    oq_tensor *y;
    int at = 0;
    OQ_TRY(oq_need(context, 0, &x, err));
    OQ_TRY(oq_need(context, 1, &axis, err));
    if (oq_tensor_count(axis) != 1)
        return oq_fail(err, ONNXQ_BAD_MODEL, "%s: the axis must be one number", context->node->op_type);
    if (x->shape.rank) OQ_TRY(oq_axis_of(context, oq_tensor_get_i64(axis, 0), x->shape.rank, &at, err));
    scan_job job = {.view = x->shape.rank ? oq_axis_view_of(&x->shape, at) : (oq_axis_view){1, 1, 1},
                    .loop = f->loop[oq_work_of(x->dtype)],
                    .dtype = x->dtype,
                    .exclusive = oq_node_int(context->node, "exclusive", 0) != 0,
                    .reverse = oq_node_int(context->node, "reverse", 0) != 0,
                    .first = first,
                    .x = x->data};
    if (!job.loop) return oq_no_loop(context, x->dtype, err);
    OQ_TRY(oq_out_reuse(context, 0, 0, x->dtype, &x->shape, &y, err));
    job.y = y->data;
    return oq_ranges(context->pool, job.view.outer, 1, run_range, &job, err);
}
