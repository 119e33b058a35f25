// Blocks of elements in the four working types, and loops over ranges: what all elementwise families share.
#include "ops/lib/work.h"

oq_work_type oq_work_of(oq_dtype dtype) {
    return dtype == ONNXQ_BOOL ? OQ_WORK_U64 : oq_dtype_info(dtype)->work;
}

size_t oq_work_bytes(oq_work_type work) { return work == OQ_WORK_F32 ? 4 : 8; }

bool oq_work_is_native(oq_dtype dtype) {
    return dtype == ONNXQ_FLOAT || dtype == ONNXQ_DOUBLE || dtype == ONNXQ_INT64 || dtype == ONNXQ_UINT64;
}

void oq_work_load_as(oq_work_type work, oq_dtype dtype, const void *from, void *into, size_t count) {
    switch (work) {
    case OQ_WORK_F32: oq_load_f32(dtype, from, into, count); break;
    case OQ_WORK_F64: oq_load_f64(dtype, from, into, count); break;
    case OQ_WORK_I64: oq_load_i64(dtype, from, into, count); break;
    case OQ_WORK_U64: oq_load_u64(dtype, from, into, count); break;
    case OQ_WORK_NONE: break;
    }
}

void oq_work_load(oq_dtype dtype, const void *from, void *into, size_t count) {
    oq_work_load_as(oq_work_of(dtype), dtype, from, into, count);
}

void oq_work_store_as(oq_work_type work, oq_dtype dtype, const void *from, void *into, size_t count) {
    switch (work) {
    case OQ_WORK_F32: oq_store_f32(dtype, from, into, count); break;
    case OQ_WORK_F64: oq_store_f64(dtype, from, into, count); break;
    case OQ_WORK_I64: oq_store_i64(dtype, from, into, count); break;
    case OQ_WORK_U64: oq_store_u64(dtype, from, into, count); break;
    case OQ_WORK_NONE: break;
    }
}

void oq_work_store(oq_dtype dtype, const void *from, void *into, size_t count) {
    oq_work_store_as(oq_work_of(dtype), dtype, from, into, count);
}

typedef struct range_job {
    oq_range_work work;
    void *self;
    size_t count, grain;
} range_job;

static oq_status run_range(void *self, size_t index, size_t worker, oq_error *err) {
    (void)worker, (void)err;
    const range_job *job = self;
    const size_t from = index * job->grain;
    job->work(job->self, from, oq_min_size(job->count, from + job->grain));
    return ONNXQ_OK;
}

oq_status oq_ranges(oq_pool *pool, size_t count, size_t grain, oq_range_work work, void *self,
                    oq_error *err) {
    if (!count) return ONNXQ_OK;
    if (!grain) grain = 1;
    if (!pool || count <= grain) {
        work(self, 0, count);
        return ONNXQ_OK;
    }
    range_job job = {.work = work, .self = self, .count = count, .grain = grain};
    return oq_pool_run(pool, (count - 1) / grain + 1, run_range, &job, err);
}

oq_status oq_need(const oq_run_context *context, size_t i, const oq_tensor **out, oq_error *err) {
    *out = oq_in(context, i);
    if (*out) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL, "%s needs a tensor as input %zu", context->node->op_type, i);
}

oq_status oq_no_loop(const oq_run_context *context, oq_dtype dtype, oq_error *err) {
    return oq_fail(err, ONNXQ_UNSUPPORTED, "%s cannot compute %s", context->node->op_type,
                   onnxq_dtype_name(dtype));
}
