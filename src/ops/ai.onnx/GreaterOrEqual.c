// GreaterOrEqual: true where a >= b, broadcast.
#include "ops/lib/binary.h"
#include "ops/lib/elementwise.h"

OQ_BINARY_TEST(f32, float, a >= b)
OQ_BINARY_TEST(f64, double, a >= b)
OQ_BINARY_TEST(i64, int64_t, a >= b)
OQ_BINARY_TEST(u64, uint64_t, a >= b)

static const oq_binary formula = OQ_BINARY_RELATION;
OQ_BINARY_RUN(formula)

static const oq_type_set types_12[] = {{"T", OQ_T_NUMERIC3}, {"T1", OQ_T(BOOL)}, {0}};
static const oq_type_set types_16[] = {{"T", OQ_T_NUMERIC4}, {"T1", OQ_T(BOOL)}, {0}};

static const oq_op_version versions[] = {
    {.since = 12, .signature = "A:T, B:T -> C:T1", .types = types_12, .infer = oq_infer_compare, .run = run},
    {.since = 16, .signature = "A:T, B:T -> C:T1", .types = types_16, .infer = oq_infer_compare, .run = run},
};

OQ_ONNX_OP(GreaterOrEqual, versions);
