// Selection between two tensors by a third, for elements of any size and for strings.
#include "ops/lib/where.h"

#include <string.h>

// z[i] = c[i * c_step] ? x[i * x_step] : y[i * y_step]
typedef void (*select_loop)(const uint8_t *c, size_t c_step, const void *x, size_t x_step, const void *y,
                            size_t y_step, void *z, size_t n);

typedef struct element_16 {
    uint64_t halves[2];
} element_16;

#define SELECT_LOOP(name, type)                                                                              \
    static void name(const uint8_t *c, size_t c_step, const void *x, size_t x_step, const void *y,           \
                     size_t y_step, void *z, size_t n) {                                                     \
        for (size_t i = 0; i < n; i++)                                                                       \
            ((type *)z)[i] = c[i * c_step] ? ((const type *)x)[i * x_step] : ((const type *)y)[i * y_step];  \
    }
SELECT_LOOP(select_1, uint8_t)
SELECT_LOOP(select_2, uint16_t)
SELECT_LOOP(select_4, uint32_t)
SELECT_LOOP(select_8, uint64_t)
SELECT_LOOP(select_16, element_16)

static select_loop loop_of(size_t element_bytes) {
    switch (element_bytes) {
    case 1: return select_1;
    case 2: return select_2;
    case 4: return select_4;
    case 8: return select_8;
    case 16: return select_16;
    default: return NULL;
    }
}

typedef struct where_job {
    oq_broadcast plan;
    select_loop loop;
    size_t bytes; // per element
    const uint8_t *c;
    const void *x, *y;
    void *z;
} where_job;

static void short_rows(const where_job *job, size_t from, size_t to) {
    oq_block c, x, y;
    for (size_t at = from; at < to; at += OQ_BLOCK) {
        const size_t n = oq_min_size(OQ_BLOCK, to - at);
        job->loop(oq_broadcast_gather(&job->plan, 0, job->c, 1, at, n, &c), 1,
                  oq_broadcast_gather(&job->plan, 1, job->x, job->bytes, at, n, &x), 1,
                  oq_broadcast_gather(&job->plan, 2, job->y, job->bytes, at, n, &y), 1,
                  oq_at_mutable(job->z, at, job->bytes), n);
    }
}

static void run_range(void *self, size_t from, size_t to) {
    const where_job *job = self;
    const oq_broadcast *plan = &job->plan;
    if (oq_broadcast_is_short(plan)) {
        short_rows(job, from, to);
        return;
    }
    oq_broadcast_walk walk;
    for (oq_broadcast_begin(&walk, plan, from, to); walk.run; oq_broadcast_next(&walk))
        job->loop(job->c + walk.offset[0], plan->step[0], oq_at(job->x, walk.offset[1], job->bytes),
                  plan->step[1], oq_at(job->y, walk.offset[2], job->bytes), plan->step[2],
                  oq_at_mutable(job->z, walk.at, job->bytes), walk.run);
}

static oq_status select_strings(oq_run_context *context, const oq_broadcast *plan, const oq_shape *shape,
                                oq_error *err) {
    const oq_tensor *const c = oq_in(context, 0), *const x = oq_in(context, 1), *const y = oq_in(context, 2);
    size_t bytes;
    if (!oq_mul_size(plan->count, sizeof(char *) + sizeof(size_t), &bytes))
        return oq_fail(err, ONNXQ_NO_MEMORY, "Where: too many strings");
    const char **const texts = oq_scratch(context, bytes, err);
    if (!texts) return ONNXQ_NO_MEMORY;
    size_t *const lengths = (size_t *)(texts + plan->count);
    oq_broadcast_walk walk;
    for (oq_broadcast_begin(&walk, plan, 0, plan->count); walk.run; oq_broadcast_next(&walk))
        for (size_t i = 0; i < walk.run; i++) {
            const bool first = ((const uint8_t *)c->data)[walk.offset[0] + i * plan->step[0]];
            const int k = first ? 1 : 2;
            texts[walk.at + i] = oq_tensor_string(
                first ? x : y, (int64_t)(walk.offset[k] + i * plan->step[k]), &lengths[walk.at + i]);
        }
    oq_tensor z = {0};
    OQ_TRY(oq_tensor_new_strings(context->mem, shape, texts, lengths, &z, err));
    oq_out_take(context, 0, oq_value_of_tensor(z));
    return ONNXQ_OK;
}

oq_status oq_where_run(oq_run_context *context, oq_error *err) {
    const oq_tensor *c, *x, *y;
    oq_tensor *z;
    oq_shape values, shape;
    OQ_TRY(oq_need(context, 0, &c, err));
    OQ_TRY(oq_need(context, 1, &x, err));
    OQ_TRY(oq_need(context, 2, &y, err));
    if (c->dtype != ONNXQ_BOOL || x->dtype != y->dtype)
        return oq_fail(err, ONNXQ_BAD_MODEL, "Where of %s, %s and %s: needs bool and two of one type",
                       onnxq_dtype_name(c->dtype), onnxq_dtype_name(x->dtype), onnxq_dtype_name(y->dtype));
    OQ_TRY(oq_shape_broadcast(&x->shape, &y->shape, &values, err));
    OQ_TRY(oq_shape_broadcast(&c->shape, &values, &shape, err));
    OQ_TRY(oq_shape_check(&shape, 16, NULL, err));
    where_job job = {.bytes = oq_dtype_bytes(x->dtype), .c = c->data, .x = x->data, .y = y->data};
    oq_broadcast_plan(&job.plan, &shape, (const oq_shape *[]){&c->shape, &x->shape, &y->shape}, 3);
    if (x->dtype == ONNXQ_STRING) return select_strings(context, &job.plan, &shape, err);
    job.loop = loop_of(job.bytes);
    if (!job.loop) return oq_no_loop(context, x->dtype, err);
    if (job.plan.whole[1])
        OQ_TRY(oq_out_reuse(context, 0, 1, x->dtype, &shape, &z, err));
    else if (job.plan.whole[2])
        OQ_TRY(oq_out_reuse(context, 0, 2, x->dtype, &shape, &z, err));
    else
        OQ_TRY(oq_out(context, 0, x->dtype, &shape, &z, err));
    job.z = z->data;
    return oq_ranges(context->pool, job.plan.count, OQ_GRAIN, run_range, &job, err);
}
