// IsInf: true where x is infinite, of a sign that is asked for.
#include "ops/lib/elementwise.h"
#include "ops/lib/unary.h"

#include <math.h>

OQ_UNARY_TEST(f32, float, (x == INFINITY && a != 0) || (x == -INFINITY && b != 0))
OQ_UNARY_TEST(f64, double, (x == (double)INFINITY && a != 0) || (x == -(double)INFINITY && b != 0))

static const oq_unary formula = {.loop = {[OQ_WORK_F32] = f32, [OQ_WORK_F64] = f64}, .to_bool = true};
static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_unary_run(context, &formula, oq_node_int(context->node, "detect_positive", 1) != 0,
                        oq_node_int(context->node, "detect_negative", 1) != 0, err);
}

static const oq_type_set types_10[] = {{"T1", OQ_T(DOUBLE) | OQ_T(FLOAT)}, {"T2", OQ_T(BOOL)}, {0}};
static const oq_type_set types_20[] = {{"T1", OQ_T_FLOATS4 | OQ_T_FLOAT8}, {"T2", OQ_T(BOOL)}, {0}};
static const oq_attr_spec attrs_10[] = {
    {"detect_negative", OQ_ATTR_INT, false}, {"detect_positive", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 10,
     .signature = "X:T1 -> Y:T2",
     .types = types_10,
     .attrs = attrs_10,
     .infer = oq_infer_test,
     .run = run},
    {.since = 20,
     .signature = "X:T1 -> Y:T2",
     .types = types_20,
     .attrs = attrs_10,
     .infer = oq_infer_test,
     .run = run},
};

OQ_ONNX_OP(IsInf, versions);
