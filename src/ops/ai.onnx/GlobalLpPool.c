// GlobalLpPool: the p-norm of each channel's image.
#include "ops/lib/global_pool.h"
#include "ops/lib/sum_pool.h"

static float norm_f32(const float *x, size_t n, double p) {
    return oq_root_f32(oq_power_sum_f32(x, n, (float)p), (float)p);
}

static double norm_f64(const double *x, size_t n, double p) {
    return oq_root_f64(oq_power_sum_f64(x, n, p), p);
}

static oq_status run_power(oq_run_context *context, double p, oq_error *err) {
    if (!(p > 0)) return oq_fail(err, ONNXQ_BAD_MODEL, "GlobalLpPool needs a p above 0, not %g", p);
    const oq_global_pool pool = {.f32 = norm_f32, .f64 = norm_f64, .p = p};
    return oq_global_pool_run(context, &pool, err);
}

static oq_status run_1(oq_run_context *context, oq_error *err) {
    return run_power(context, (double)oq_node_float(context->node, "p", 2.0F), err);
}

static oq_status run_2(oq_run_context *context, oq_error *err) {
    return run_power(context, (double)oq_node_int(context->node, "p", 2), err);
}

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs_1[] = {{"p", OQ_ATTR_FLOAT, false}, {0}};
static const oq_attr_spec attrs_2[] = {{"p", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "X:T -> Y:T",
     .types = types_1,
     .attrs = attrs_1,
     .infer = oq_global_pool_infer,
     .run = run_1},
    {.since = 2,
     .signature = "X:T -> Y:T",
     .types = types_1,
     .attrs = attrs_2,
     .infer = oq_global_pool_infer,
     .run = run_2,
     .upgrade = oq_lp_pool_upgrade},
    {.since = 22,
     .signature = "X:T -> Y:T",
     .types = types_22,
     .attrs = attrs_2,
     .infer = oq_global_pool_infer,
     .run = run_2},
};
OQ_ONNX_OP(GlobalLpPool, versions);
