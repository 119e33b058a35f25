// Binarizer: 1 above a threshold, else 0.
#include "ops/lib/elementwise.h"
#include "ops/lib/schema.h"
#include "ops/lib/unary.h"

OQ_UNARY_LOOP(f32, float, x > a ? 1 : 0)
OQ_UNARY_LOOP(f64, double, x > a ? 1 : 0)
OQ_UNARY_LOOP(i64, int64_t, (double)x > p[0].f ? 1 : 0)

static const oq_unary formula = {.loop = {[OQ_WORK_F32] = f32, [OQ_WORK_F64] = f64, [OQ_WORK_I64] = i64}};

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_unary_run(context, &formula, (double)oq_node_float(context->node, "threshold", 0), 0, err);
}

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "X:T -> Y:T",
     .types = OQ_TYPES({"T", OQ_T_FLOAT32 | OQ_T(DOUBLE) | OQ_T_INDEX}),
     .attrs = OQ_ATTRS({"threshold", OQ_ATTR_FLOAT, false}),
     .infer = oq_infer_unary,
     .run = run},
};

OQ_OP(ai_onnx_ml, Binarizer, "ai.onnx.ml", versions, OQ_OP_PLAIN);
