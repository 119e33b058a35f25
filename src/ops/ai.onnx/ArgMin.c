// ArgMin: the index of the least element along an axis.
#include "ops/lib/arg.h"

OQ_BINARY_TEST(f32, float, a < b || (a != a && b == b))
OQ_BINARY_TEST(f64, double, a < b || (a != a && b == b))
OQ_BINARY_TEST(i64, int64_t, a < b)
OQ_BINARY_TEST(u64, uint64_t, a < b)

static const oq_binary beats = OQ_BINARY_RELATION;

static oq_status run(oq_run_context *context, oq_error *err) { return oq_arg_run(context, &beats, err); }

static const oq_op_version versions[] = {OQ_VERSIONS_ARG};

OQ_ONNX_OP(ArgMin, versions);
