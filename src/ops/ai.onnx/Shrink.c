// Shrink: x moved by bias towards 0 outside [-lambd, lambd], 0 inside.
#include "ops/lib/elementwise.h"
#include "ops/lib/unary.h"

static inline double shrink(double x, double lambd, double bias) {
    return x < -lambd ? x + bias : x > lambd ? x - bias : 0;
}

OQ_UNARY_LOOP(f32, float, x<-a ? x + b : x> a ? x - b : 0)
OQ_UNARY_LOOP(f64, double, shrink(x, a, b))
OQ_UNARY_LOOP(i64, int64_t, oq_to_i64(shrink((double)x, p[0].f, p[1].f)))
OQ_UNARY_LOOP(u64, uint64_t, oq_to_u64(shrink((double)x, p[0].f, p[1].f)))

static const oq_unary formula = {
    .loop = {[OQ_WORK_F32] = f32, [OQ_WORK_F64] = f64, [OQ_WORK_I64] = i64, [OQ_WORK_U64] = u64}};
static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_unary_run(context, &formula, oq_node_float(context->node, "lambd", 0.5f),
                        oq_node_float(context->node, "bias", 0.0f), err);
}

static const oq_type_set types_9[] = {{"T", OQ_T_NUMERIC3}, {0}};
static const oq_attr_spec attrs_9[] = {{"bias", OQ_ATTR_FLOAT, false}, {"lambd", OQ_ATTR_FLOAT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 9,
     .signature = "input:T -> output:T",
     .types = types_9,
     .attrs = attrs_9,
     .infer = oq_infer_unary,
     .run = run},
};

OQ_ONNX_OP(Shrink, versions);
