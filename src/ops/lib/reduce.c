// Reductions over axes: the driver.
#include "ops/lib/reduce.h"

#include "ops/lib/axes.h"
#include "ops/lib/broadcast.h"
#include "ops/lib/convert.h"

#include <math.h>
#include <string.h>

typedef struct reduce_job {
    oq_broadcast kept, reduced; // walks over the axes outside the last collapsed one, one element a step
    size_t inner;               // size of the last collapsed axis
    bool inner_reduced;
    bool empty, native;
    double count; // elements behind one output
    oq_dtype dtype;
    oq_work_type work;
    const oq_reduce_loops *loops;
    const oq_reduce *how;
    const void *x;
    void *y;
} reduce_job;

// One more axis at the end of a walk; stride in elements of x.
static void add_axis(oq_broadcast *plan, size_t dim, size_t stride) {
    plan->dim[plan->rank] = dim;
    plan->stride[0][plan->rank++] = stride;
    plan->count *= dim;
}

// Joins neighbouring axes of one kind and sorts them into the two walks; the last one becomes `inner`.
static void plan_axes(reduce_job *job, const oq_shape *shape, const bool marked[OQ_MAX_RANK]) {
    size_t stride = 1;
    job->kept = (oq_broadcast){.operands = 1, .count = 1, .row = 1};
    job->reduced = job->kept;
    job->inner = 1;
    int axis = shape->rank - 1;
    job->inner_reduced = axis >= 0 && marked[axis];
    for (; axis >= 0 && marked[axis] == job->inner_reduced; axis--) job->inner *= (size_t)shape->dim[axis];
    stride = job->inner;
    // Axes come from the inside; the walks want the outermost first.
    size_t dims[OQ_MAX_RANK], strides[OQ_MAX_RANK];
    bool kinds[OQ_MAX_RANK];
    int count = 0;
    for (; axis >= 0; axis--) {
        const size_t dim = (size_t)shape->dim[axis];
        if (count && kinds[count - 1] == marked[axis]) {
            dims[count - 1] *= dim;
        } else {
            dims[count] = dim, strides[count] = stride, kinds[count] = marked[axis];
            count++;
        }
        stride *= dim;
    }
    while (count-- > 0) add_axis(kinds[count] ? &job->reduced : &job->kept, dims[count], strides[count]);
    add_axis(&job->kept, 1, 0);
    add_axis(&job->reduced, 1, 0);
}

// Elements at `offset` in the working type, mapped: straight from memory where nothing is to be done.
static const void *mapped(const reduce_job *job, size_t offset, size_t n, const void *center, size_t step,
                          oq_reduce_map map, oq_block *block) {
    const void *from = oq_at(job->x, offset, oq_dtype_bytes(job->dtype));
    if (job->native && !job->loops->map[map]) return from;
    oq_work_load_as(job->work, job->dtype, from, block, n);
    if (job->loops->map[map]) job->loops->map[map](block, center, step, n);
    return block;
}

// acc = all elements behind the output whose elements begin at `base`, combined.
static void fold_one(const reduce_job *job, size_t base, oq_reduce_map map, oq_reduce_combine combine,
                     const void *center, oq_block *acc) {
    const bool direct = job->native && !job->loops->map[map];
    oq_block block, part;
    oq_broadcast_walk walk;
    bool first = true;
    for (oq_broadcast_begin(&walk, &job->reduced, 0, job->reduced.count); walk.run; oq_broadcast_next(&walk))
        for (size_t at = 0; at < job->inner;) {
            const size_t n = direct ? job->inner : oq_min_size(OQ_BLOCK, job->inner - at);
            const void *x = mapped(job, base + walk.offset[0] + at, n, center, 0, map, &block);
            job->loops->fold[combine](x, n, first ? acc : &part);
            if (!first) job->loops->rows[combine](acc, &part, 1);
            first = false;
            at += n;
        }
}

// acc[0..n) = the rows behind n outputs side by side, combined.
static void fold_rows(const reduce_job *job, size_t base, size_t n, oq_reduce_map map,
                      oq_reduce_combine combine, const void *center, oq_block *acc) {
    const size_t bytes = n * oq_work_bytes(job->work);
    oq_block block;
    oq_broadcast_walk walk;
    bool first = true;
    for (oq_broadcast_begin(&walk, &job->reduced, 0, job->reduced.count); walk.run;
         oq_broadcast_next(&walk)) {
        const void *x = mapped(job, base + walk.offset[0], n, center, 1, map, &block);
        if (first)
            memcpy(acc, x, bytes);
        else
            job->loops->rows[combine](acc, x, n);
        first = false;
    }
}

static void fold(const reduce_job *job, size_t base, size_t n, oq_reduce_map map, oq_reduce_combine combine,
                 const void *center, oq_block *acc) {
    if (job->inner_reduced)
        fold_one(job, base, map, combine, center, acc);
    else
        fold_rows(job, base, n, map, combine, center, acc);
}

// What a reduction over nothing gives, before the finish.
static void fill_empty(const reduce_job *job, size_t n, oq_block *acc) {
    const oq_dtype_traits *info = oq_dtype_info(job->dtype);
    const bool most = job->how->combine == OQ_COMBINE_MAX, least = job->how->combine == OQ_COMBINE_MIN;
    const double one = job->how->combine == OQ_COMBINE_MUL;
    const double real = most ? -(double)INFINITY : least ? (double)INFINITY : one;
    const uint64_t top = job->dtype == ONNXQ_BOOL ? 1 : info->max;
    for (size_t i = 0; i < n; i++) {
        if (job->work == OQ_WORK_F32) acc->f32[i] = (float)real;
        if (job->work == OQ_WORK_F64) acc->f64[i] = real;
        if (job->work == OQ_WORK_I64)
            acc->i64[i] = most ? info->min : least ? (int64_t)info->max : (int64_t)one;
        if (job->work == OQ_WORK_U64) acc->u64[i] = most ? 0 : least ? top : (uint64_t)one;
    }
}

// n outputs from number `at` on, whose elements begin at `base`.
static void reduce_block(const reduce_job *job, size_t at, size_t base, size_t n) {
    const oq_reduce_loops *const loops = job->loops;
    const bool centered = job->how->map == OQ_MAP_EXP && !job->empty;
    oq_block acc, center;
    if (centered) {
        fold(job, base, n, OQ_MAP_NONE, OQ_COMBINE_MAX, NULL, &center);
        loops->center(&center, n);
    }
    if (job->empty)
        fill_empty(job, n, &acc);
    else
        fold(job, base, n, job->how->map, job->how->combine, &center, &acc);
    if (loops->finish[job->how->finish]) loops->finish[job->how->finish](&acc, n, job->count);
    if (centered) loops->uncenter(&acc, &center, n);
    void *const y = oq_at_mutable(job->y, at, oq_dtype_bytes(job->dtype));
    if (job->work == oq_work_of(job->dtype))
        oq_work_store(job->dtype, &acc, y, n);
    else
        oq_convert_block(ONNXQ_DOUBLE, &acc, job->dtype, y, n, &(oq_convert_options){.saturate = true});
}

static void run_range(void *self, size_t from, size_t to) {
    const reduce_job *job = self;
    const size_t row = job->inner_reduced ? 1 : job->inner; // outputs side by side
    for (size_t at = from; at < to;) {
        oq_broadcast_walk walk;
        oq_broadcast_begin(&walk, &job->kept, at / row, job->kept.count);
        const size_t column = at % row;
        const size_t n = oq_min_size(oq_min_size(OQ_BLOCK, row - column), to - at);
        reduce_block(job, at, walk.offset[0] + column, n);
        at += n;
    }
}

oq_status oq_reduce_run(oq_run_context *context, const oq_reduce *how, oq_error *err) {
    const oq_tensor *x;
    oq_tensor *y;
    bool marked[OQ_MAX_RANK];
    OQ_TRY(oq_need(context, 0, &x, err));
    OQ_TRY(oq_axes_read(context, x->shape.rank, marked, err));
    const oq_shape shape = oq_axes_reduce(&x->shape, marked, oq_node_int(context->node, "keepdims", 1) != 0);
    reduce_job job = {.dtype = x->dtype, .work = oq_work_of(x->dtype), .how = how, .x = x->data, .count = 1};
    const bool real = how->map == OQ_MAP_EXP || how->finish == OQ_FINISH_SQRT || how->finish == OQ_FINISH_LOG;
    if (real && (job.work == OQ_WORK_I64 || job.work == OQ_WORK_U64)) job.work = OQ_WORK_F64;
    job.loops = oq_reduce_loops_of(job.work);
    if (!job.loops) return oq_no_loop(context, x->dtype, err);
    job.native = oq_work_is_native(x->dtype) && job.work == oq_work_of(x->dtype);
    for (int axis = 0; axis < x->shape.rank; axis++)
        if (marked[axis]) job.count *= (double)x->shape.dim[axis];
    job.empty = job.count == 0;
    plan_axes(&job, &x->shape, marked);
    OQ_TRY(oq_out(context, 0, x->dtype, &shape, &y, err));
    job.y = y->data;
    const size_t outputs = (size_t)oq_shape_count(&shape);
    const size_t grain = (size_t)(OQ_GRAIN / (job.count > 1 ? job.count : 1)) + 1;
    return oq_ranges(context->pool, outputs, grain, run_range, &job, err);
}
