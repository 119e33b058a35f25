// LpPool: the p-norm of each window.
#include "ops/lib/sum_pool.h"

static oq_status run_power(oq_run_context *context, double p, oq_error *err) {
    if (!(p > 0)) return oq_fail(err, ONNXQ_BAD_MODEL, "LpPool needs a p above 0, not %g", p);
    const oq_sum_pool pool = {.p = p};
    return oq_sum_pool_run(context, &pool, err);
}

static oq_status run_1(oq_run_context *context, oq_error *err) {
    return run_power(context, (double)oq_node_float(context->node, "p", 2.0F), err);
}

static oq_status run_2(oq_run_context *context, oq_error *err) {
    return run_power(context, (double)oq_node_int(context->node, "p", 2), err);
}

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs_1[] = {
    {"auto_pad", OQ_ATTR_STRING, false}, {"kernel_shape", OQ_ATTR_INTS, false}, {"p", OQ_ATTR_FLOAT, false},
    {"pads", OQ_ATTR_INTS, false},       {"strides", OQ_ATTR_INTS, false},      {0}};
static const oq_attr_spec attrs_2[] = {
    {"auto_pad", OQ_ATTR_STRING, false}, {"kernel_shape", OQ_ATTR_INTS, true}, {"p", OQ_ATTR_INT, false},
    {"pads", OQ_ATTR_INTS, false},       {"strides", OQ_ATTR_INTS, false},     {0}};
static const oq_attr_spec attrs_18[] = {
    {"auto_pad", OQ_ATTR_STRING, false}, {"ceil_mode", OQ_ATTR_INT, false},
    {"dilations", OQ_ATTR_INTS, false},  {"kernel_shape", OQ_ATTR_INTS, true},
    {"p", OQ_ATTR_INT, false},           {"pads", OQ_ATTR_INTS, false},
    {"strides", OQ_ATTR_INTS, false},    {0}};

#define RUNS .infer = oq_window_infer_pool, .run = run_2
static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "X:T -> Y:T",
     .types = types_1,
     .attrs = attrs_1,
     .infer = oq_window_infer_pool,
     .run = run_1},
    {.since = 2,
     .signature = "X:T -> Y:T",
     .types = types_1,
     .attrs = attrs_2,
     .upgrade = oq_lp_pool_upgrade,
     RUNS},
    {.since = 11, .signature = "X:T -> Y:T", .types = types_1, .attrs = attrs_2, RUNS},
    {.since = 18, .signature = "X:T -> Y:T", .types = types_1, .attrs = attrs_18, RUNS},
    {.since = 22, .signature = "X:T -> Y:T", .types = types_22, .attrs = attrs_18, RUNS},
};
OQ_ONNX_OP(LpPool, versions);
