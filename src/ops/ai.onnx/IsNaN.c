// IsNaN: true where x is not a number.
#include "ops/lib/elementwise.h"
#include "ops/lib/unary.h"

OQ_UNARY_TEST(f32, float, x != x)
OQ_UNARY_TEST(f64, double, x != x)

static const oq_unary formula = {.loop = {[OQ_WORK_F32] = f32, [OQ_WORK_F64] = f64}, .to_bool = true};
OQ_UNARY_RUN(formula)

static const oq_type_set types_9[] = {{"T1", OQ_T_FLOATS3}, {"T2", OQ_T(BOOL)}, {0}};
static const oq_type_set types_13[] = {{"T1", OQ_T_FLOATS4}, {"T2", OQ_T(BOOL)}, {0}};
static const oq_type_set types_20[] = {{"T1", OQ_T_FLOATS4 | OQ_T_FLOAT8}, {"T2", OQ_T(BOOL)}, {0}};

static const oq_op_version versions[] = {
    {.since = 9, .signature = "X:T1 -> Y:T2", .types = types_9, .infer = oq_infer_test, .run = run},
    {.since = 13, .signature = "X:T1 -> Y:T2", .types = types_13, .infer = oq_infer_test, .run = run},
    {.since = 20, .signature = "X:T1 -> Y:T2", .types = types_20, .infer = oq_infer_test, .run = run},
};

OQ_ONNX_OP(IsNaN, versions);
