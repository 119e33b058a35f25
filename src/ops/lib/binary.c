// Elementwise functions of two tensors with broadcasting: the driver.
#include "ops/lib/binary.h"

typedef struct binary_job {
    oq_broadcast plan;
    oq_binary_loop loop;
    oq_dtype from, into;
    bool to_bool; // the loop writes elements of the output, not of the working type
    size_t in_bytes, out_bytes;
    const void *a, *b;
    void *y;
} binary_job;

// n outputs at y from operands side by side or standing still, whatever their dtype.
static void run_block(const binary_job *job, const void *a, size_t a_step, const void *b, size_t b_step,
                      size_t at, size_t n) {
    void *const y = oq_at_mutable(job->y, at, job->out_bytes);
    if (oq_work_is_native(job->from)) {
        job->loop(a, a_step, b, b_step, y, n);
        return;
    }
    const bool store = !job->to_bool;
    oq_block a_block, b_block;
    oq_work_load(job->from, a, &a_block, a_step ? n : 1);
    oq_work_load(job->from, b, &b_block, b_step ? n : 1);
    if (store && a_step) {
        job->loop(&a_block, a_step, &b_block, b_step, &a_block, n);
        oq_work_store(job->into, &a_block, y, n);
    } else if (store) {
        oq_block y_block;
        job->loop(&a_block, a_step, &b_block, b_step, &y_block, n);
        oq_work_store(job->into, &y_block, y, n);
    } else {
        job->loop(&a_block, a_step, &b_block, b_step, y, n);
    }
}

static void short_rows(const binary_job *job, size_t from, size_t to) {
    oq_block a_buffer, b_buffer;
    for (size_t at = from; at < to; at += OQ_BLOCK) {
        const size_t n = oq_min_size(OQ_BLOCK, to - at);
        const void *a = oq_broadcast_gather(&job->plan, 0, job->a, job->in_bytes, at, n, &a_buffer);
        const void *b = oq_broadcast_gather(&job->plan, 1, job->b, job->in_bytes, at, n, &b_buffer);
        run_block(job, a, 1, b, 1, at, n);
    }
}

static void rows(const binary_job *job, size_t from, size_t to) {
    const size_t longest = oq_work_is_native(job->from) ? SIZE_MAX : OQ_BLOCK;
    const size_t a_step = job->plan.step[0], b_step = job->plan.step[1];
    oq_broadcast_walk walk;
    for (oq_broadcast_begin(&walk, &job->plan, from, to); walk.run; oq_broadcast_next(&walk))
        for (size_t done = 0; done < walk.run;) {
            const size_t n = oq_min_size(longest, walk.run - done);
            run_block(job, oq_at(job->a, walk.offset[0] + done * a_step, job->in_bytes), a_step,
                      oq_at(job->b, walk.offset[1] + done * b_step, job->in_bytes), b_step, walk.at + done,
                      n);
            done += n;
        }
}

static void run_range(void *self, size_t from, size_t to) {
    const binary_job *job = self;
    if (oq_broadcast_is_short(&job->plan))
        short_rows(job, from, to);
    else
        rows(job, from, to);
}

oq_status oq_binary_align(const oq_run_context *context, const oq_shape *a, const oq_shape *b, oq_shape *out,
                          oq_error *err) {
    *out = *b;
    if (context->version->since >= 7 || !oq_node_int(context->node, "broadcast", 0)) return ONNXQ_OK;
    int axis = a->rank - b->rank;
    const oq_attr *given = oq_node_attr(context->node, "axis");
    if (given && given->kind == OQ_ATTR_INT) {
        const int64_t from = given->i < 0 ? given->i + a->rank : given->i;
        if (from < 0 || from > a->rank - b->rank)
            axis = -1;
        else
            axis = (int)from;
    }
    if (axis < 0)
        return oq_fail(err, ONNXQ_BAD_MODEL, "%s: attribute axis does not place input 1 inside input 0",
                       context->node->op_type);
    out->rank = a->rank - axis;
    for (int i = b->rank; i < out->rank; i++) out->dim[i] = 1;
    return ONNXQ_OK;
}

// Output 0 in the memory of an input that has its shape and dies here, when the elements keep their dtype.
static oq_status new_output(oq_run_context *context, const oq_binary *f, oq_dtype dtype,
                            const oq_shape *shape, oq_tensor **y, oq_error *err) {
    if (f->to_bool) return oq_out(context, 0, ONNXQ_BOOL, shape, y, err);
    const bool first = oq_shape_count(&oq_in(context, 0)->shape) == oq_shape_count(shape);
    const bool second = oq_shape_count(&oq_in(context, 1)->shape) == oq_shape_count(shape);
    if (!first && !second) return oq_out(context, 0, dtype, shape, y, err);
    const size_t from = first && (!second || context->in_dies[0]) ? 0 : 1;
    return oq_out_reuse(context, 0, from, dtype, shape, y, err);
}

static oq_status compare_strings(oq_run_context *context, const oq_binary *f, const oq_broadcast *plan,
                                 const oq_shape *shape, oq_error *err) {
    const oq_tensor *const a = oq_in(context, 0), *const b = oq_in(context, 1);
    oq_tensor *y;
    OQ_TRY(oq_out(context, 0, ONNXQ_BOOL, shape, &y, err));
    oq_broadcast_walk walk;
    for (oq_broadcast_begin(&walk, plan, 0, plan->count); walk.run; oq_broadcast_next(&walk))
        for (size_t i = 0; i < walk.run; i++) {
            size_t a_length, b_length;
            const char *left = oq_tensor_string(a, (int64_t)(walk.offset[0] + i * plan->step[0]), &a_length);
            const char *right = oq_tensor_string(b, (int64_t)(walk.offset[1] + i * plan->step[1]), &b_length);
            ((uint8_t *)y->data)[walk.at + i] = f->strings(left, a_length, right, b_length);
        }
    return ONNXQ_OK;
}

oq_status oq_binary_run(oq_run_context *context, const oq_binary *f, oq_error *err) {
    const oq_tensor *a, *b;
    oq_shape b_shape;
    OQ_TRY(oq_need(context, 0, &a, err));
    OQ_TRY(oq_need(context, 1, &b, err));
    OQ_TRY(oq_binary_align(context, &a->shape, &b->shape, &b_shape, err));
    return oq_binary_run_as(context, f, &b_shape, err);
}

oq_status oq_binary_run_as(oq_run_context *context, const oq_binary *f, const oq_shape *b_shape,
                           oq_error *err) {
    const oq_tensor *a, *b;
    oq_tensor *y;
    oq_shape shape;
    OQ_TRY(oq_need(context, 0, &a, err));
    OQ_TRY(oq_need(context, 1, &b, err));
    if (a->dtype != b->dtype)
        return oq_fail(err, ONNXQ_BAD_MODEL, "%s of %s and %s: the inputs must have one type",
                       context->node->op_type, onnxq_dtype_name(a->dtype), onnxq_dtype_name(b->dtype));
    OQ_TRY(oq_shape_broadcast(&a->shape, b_shape, &shape, err));
    OQ_TRY(oq_shape_check(&shape, 8, NULL, err));
    binary_job job = {.loop = f->loop[oq_work_of(a->dtype)],
                      .from = a->dtype,
                      .into = f->to_bool ? ONNXQ_BOOL : a->dtype,
                      .to_bool = f->to_bool,
                      .a = a->data,
                      .b = b->data};
    oq_broadcast_plan(&job.plan, &shape, (const oq_shape *[]){&a->shape, b_shape}, 2);
    if (a->dtype == ONNXQ_STRING && f->strings) return compare_strings(context, f, &job.plan, &shape, err);
    if (!job.loop) return oq_no_loop(context, a->dtype, err);
    job.in_bytes = oq_dtype_bytes(job.from);
    job.out_bytes = oq_dtype_bytes(job.into);
    OQ_TRY(new_output(context, f, a->dtype, &shape, &y, err));
    job.y = y->data;
    return oq_ranges(context->pool, job.plan.count, OQ_GRAIN, run_range, &job, err);
}
