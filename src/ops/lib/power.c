// Pow: the two inputs may have different types, so it has a driver of its own.
#include "ops/lib/power.h"

#include "base/math.h"
#include "kernels/rows.h"

#include <math.h>

// The usual exponents by multiplication and square root, wherever they come up: so the quick way for a
// constant 2 gives the same bits. As pow does, 0.5 makes +0 of -0 and +inf of -inf.
static inline float power_f32(float x, float y) {
    if (y == 2) return x * x;
    if (y == 3) return x * x * x;
    if (y == 0.5f) return x == -INFINITY ? INFINITY : sqrtf(x) + 0.0f;
    return oq_powf(x, y);
}
static inline double power_f64(double x, double y) { return pow(x, y); }

static inline uint64_t power_u64(uint64_t x, uint64_t y) {
    uint64_t result = 1;
    for (; y; y >>= 1, x *= x)
        if (y & 1) result *= x;
    return result;
}

// Below 0 the exact power is a fraction, cut to 0, but for the bases 1 and -1.
static inline int64_t power_i64(int64_t x, int64_t y) {
    if (y >= 0) return (int64_t)power_u64((uint64_t)x, (uint64_t)y);
    return x == 1 ? 1 : x == -1 ? (y & 1 ? -1 : 1) : 0;
}

static inline int64_t power_i64_f64(int64_t x, double y) { return oq_to_i64(pow((double)x, y)); }
static inline uint64_t power_u64_f64(uint64_t x, double y) { return oq_to_u64(pow((double)x, y)); }

#define POWER_LOOP(name, base, exponent, function)                                                           \
    static void name(const oq_block *x, const oq_block *y, oq_block *z, size_t n) {                          \
        for (size_t i = 0; i < n; i++) z->base[i] = function(x->base[i], y->exponent[i]);                    \
    }
POWER_LOOP(f32, f32, f32, power_f32)
POWER_LOOP(f64, f64, f64, power_f64)
POWER_LOOP(i64, i64, i64, power_i64)
POWER_LOOP(u64, u64, u64, power_u64)
POWER_LOOP(i64_f64, i64, f64, power_i64_f64)
POWER_LOOP(u64_f64, u64, f64, power_u64_f64)

typedef void (*power_loop)(const oq_block *x, const oq_block *y, oq_block *z, size_t n);
typedef struct power_job {
    oq_broadcast plan;
    power_loop loop;
    oq_work_type exponent; // working type of the exponents
    const oq_tensor *x, *y;
    const void *x_data;
    oq_dtype dtype;
    void *z;
} power_job;

static void run_range(void *self, size_t from, size_t to) {
    const power_job *job = self;
    const size_t x_bytes = oq_dtype_bytes(job->dtype), y_bytes = oq_dtype_bytes(job->y->dtype);
    oq_block buffer, x, y;
    for (size_t at = from; at < to; at += OQ_BLOCK) {
        const size_t n = oq_min_size(OQ_BLOCK, to - at);
        oq_work_load(job->dtype, oq_broadcast_gather(&job->plan, 0, job->x_data, x_bytes, at, n, &buffer), &x,
                     n);
        oq_work_load_as(job->exponent, job->y->dtype,
                        oq_broadcast_gather(&job->plan, 1, job->y->data, y_bytes, at, n, &buffer), &y, n);
        job->loop(&x, &y, &x, n);
        oq_work_store(job->dtype, &x, oq_at_mutable(job->z, at, x_bytes), n);
    }
}

static void square_range(void *self, size_t from, size_t to) {
    const power_job *job = self;
    const float *const x = (const float *)job->x_data + from;
    oq_rows_binary_f32(OQ_ROWS_MUL, x, 1, x, 1, (float *)job->z + from, to - from);
}

// Loop and exponent's working type for a base of `x` and an exponent of `y`.
static void choose(power_job *job, oq_work_type x, oq_dtype y) {
    const oq_work_type work = oq_work_of(y);
    const bool integers = work == OQ_WORK_I64 || work == OQ_WORK_U64;
    job->exponent = x;
    switch (x) {
    case OQ_WORK_F32: job->loop = f32; break;
    case OQ_WORK_F64: job->loop = f64; break;
    case OQ_WORK_I64: job->loop = integers ? i64 : i64_f64; break;
    case OQ_WORK_U64: job->loop = integers ? u64 : u64_f64; break;
    case OQ_WORK_NONE: break;
    }
    if (!integers && (x == OQ_WORK_I64 || x == OQ_WORK_U64)) job->exponent = OQ_WORK_F64;
    if (work == OQ_WORK_NONE) job->loop = NULL;
}

oq_status oq_power_run(oq_run_context *context, oq_error *err) {
    power_job job = {0};
    oq_shape y_shape, shape;
    oq_tensor *z;
    OQ_TRY(oq_need(context, 0, &job.x, err));
    OQ_TRY(oq_need(context, 1, &job.y, err));
    OQ_TRY(oq_binary_align(context, &job.x->shape, &job.y->shape, &y_shape, err));
    OQ_TRY(oq_shape_broadcast(&job.x->shape, &y_shape, &shape, err));
    OQ_TRY(oq_shape_check(&shape, 8, NULL, err));
    job.dtype = job.x->dtype;
    job.x_data = job.x->data;
    choose(&job, oq_work_of(job.dtype), job.y->dtype);
    if (!job.loop) return oq_no_loop(context, job.dtype, err);
    oq_broadcast_plan(&job.plan, &shape, (const oq_shape *[]){&job.x->shape, &y_shape}, 2);
    if (job.plan.whole[0])
        OQ_TRY(oq_out_reuse(context, 0, 0, job.dtype, &shape, &z, err));
    else
        OQ_TRY(oq_out(context, 0, job.dtype, &shape, &z, err));
    job.z = z->data;
    const bool square = job.dtype == ONNXQ_FLOAT && job.plan.whole[0] && oq_tensor_count(job.y) == 1 &&
                        oq_tensor_get_f64(job.y, 0) == 2;
    return oq_ranges(context->pool, job.plan.count, OQ_GRAIN, square ? square_range : run_range, &job, err);
}
