// GlobalAveragePool: the mean of each channel's image.
#include "kernels/rows.h"
#include "ops/lib/global_pool.h"

static float mean_f32(const float *x, size_t n, double p) {
    (void)p;
    return oq_rows_sum(x, n) / (float)n;
}

static double mean_f64(const double *x, size_t n, double p) {
    double sum = 0;
    (void)p;
    for (size_t i = 0; i < n; i++) sum += x[i];
    return sum / (double)n;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_global_pool pool = {.f32 = mean_f32, .f64 = mean_f64};
    return oq_global_pool_run(context, &pool, err);
}

#define RUNS .infer = oq_global_pool_infer, .run = run
static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {0}};

static const oq_op_version versions[] = {
    {.since = 1, .signature = "X:T -> Y:T", .types = types_1, RUNS},
    {.since = 22, .signature = "X:T -> Y:T", .types = types_22, RUNS},
};
OQ_ONNX_OP(GlobalAveragePool, versions);
