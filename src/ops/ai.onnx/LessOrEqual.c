// LessOrEqual: true where a <= b, broadcast.
#include "ops/lib/binary.h"
#include "ops/lib/elementwise.h"

OQ_BINARY_TEST(f32, float, a <= b)
OQ_BINARY_TEST(f64, double, a <= b)
OQ_BINARY_TEST(i64, int64_t, a <= b)
OQ_BINARY_TEST(u64, uint64_t, a <= b)

static const oq_binary formula = OQ_BINARY_RELATION;
OQ_BINARY_RUN(formula)

static const oq_op_version versions[] = {OQ_VERSION_RELATION(12, OQ_T_NUMERIC3),
                                         OQ_VERSION_RELATION(16, OQ_T_NUMERIC4)};

OQ_ONNX_OP(LessOrEqual, versions);
