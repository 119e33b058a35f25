// Positions of extremes along an axis (ArgMax, ArgMin).
#include "ops/lib/arg.h"

#include "ops/lib/axes.h"
#include "ops/lib/infer.h"

#include <string.h>

typedef struct arg_job {
    oq_axis_view view;
    oq_binary_loop beats;
    oq_dtype dtype;
    bool last;
    const void *x;
    int64_t *y;
} arg_job;

// Columns [from, from + n) of one outer index: row after row along the axis.
static void run_columns(const arg_job *job, size_t outer, size_t from, size_t n) {
    const oq_axis_view v = job->view;
    const size_t bytes = oq_dtype_bytes(job->dtype), width = oq_work_bytes(oq_work_of(job->dtype));
    int64_t *const y = job->y + outer * v.inner + from;
    oq_block best, row;
    uint8_t better[OQ_BLOCK];
    for (size_t r = 0; r < v.axis; r++) {
        const void *x = oq_at(job->x, (outer * v.axis + r) * v.inner + from, bytes);
        oq_work_load(job->dtype, x, r ? &row : &best, n);
        if (!r) {
            memset(y, 0, n * sizeof *y);
            continue;
        }
        // With the last one wanted, a new element wins unless the best so far beats it.
        if (job->last)
            job->beats(&best, 1, &row, 1, better, n);
        else
            job->beats(&row, 1, &best, 1, better, n);
        for (size_t i = 0; i < n; i++) {
            if (better[i] == job->last) continue;
            y[i] = (int64_t)r;
            memcpy(best.bytes + i * width, row.bytes + i * width, width);
        }
    }
}

static void run_range(void *self, size_t from, size_t to) {
    const arg_job *job = self;
    for (size_t outer = from; outer < to; outer++)
        for (size_t at = 0; at < job->view.inner; at += OQ_BLOCK)
            run_columns(job, outer, at, oq_min_size(OQ_BLOCK, job->view.inner - at));
}

oq_status oq_arg_run(oq_run_context *context, const oq_binary *beats, oq_error *err) {
    const oq_tensor *x;
    oq_tensor *y;
    int axis = 0;
    bool marked[OQ_MAX_RANK] = {false};
    OQ_TRY(oq_need(context, 0, &x, err));
    if (x->shape.rank)
        OQ_TRY(oq_axis_of(context, oq_node_int(context->node, "axis", 0), x->shape.rank, &axis, err));
    marked[axis] = true;
    const oq_shape shape = oq_axes_reduce(&x->shape, marked, oq_node_int(context->node, "keepdims", 1) != 0);
    arg_job job = {.view = x->shape.rank ? oq_axis_view_of(&x->shape, axis) : (oq_axis_view){1, 1, 1},
                   .beats = beats->loop[oq_work_of(x->dtype)],
                   .dtype = x->dtype,
                   .last = oq_node_int(context->node, "select_last_index", 0) != 0,
                   .x = x->data};
    if (!job.beats) return oq_no_loop(context, x->dtype, err);
    if (!job.view.axis && oq_shape_count(&shape))
        return oq_fail(err, ONNXQ_BAD_DATA, "%s over an axis without elements", context->node->op_type);
    OQ_TRY(oq_out(context, 0, ONNXQ_INT64, &shape, &y, err));
    job.y = y->data;
    return oq_ranges(context->pool, job.view.outer, OQ_GRAIN / (job.view.axis * job.view.inner + 1) + 1,
                     run_range, &job, err);
}

oq_status oq_infer_arg(oq_infer_context *context, oq_error *err) {
    const int rank = oq_infer_rank(context, 0);
    const bool keepdims = oq_node_int(context->node, "keepdims", 1) != 0;
    oq_dim dims[OQ_MAX_RANK];
    int axis = 0, out_rank = 0;
    if (rank < 0) {
        oq_infer_set_dtype(context, 0, ONNXQ_INT64);
        return ONNXQ_OK;
    }
    if (rank) OQ_TRY(oq_infer_axis(context, oq_node_int(context->node, "axis", 0), rank, &axis, err));
    for (int i = 0; i < rank; i++) {
        if (i != axis)
            dims[out_rank++] = oq_infer_dim(context, 0, i);
        else if (keepdims)
            dims[out_rank++] = oq_dim_of(1);
    }
    oq_infer_set(context, 0, ONNXQ_INT64, out_rank, dims);
    return ONNXQ_OK;
}
