// ReduceMin: the least element over axes.
#include "ops/lib/reduce.h"

static const oq_reduce steps = {.combine = OQ_COMBINE_MIN};
OQ_REDUCE_RUN(steps)

static const oq_op_version versions[] = {OQ_VERSIONS_REDUCE_EXTREME};

OQ_ONNX_OP(ReduceMin, versions);
