// ReduceLogSum: the logarithm of the sum over axes.
#include "ops/lib/reduce.h"

static const oq_reduce steps = {.combine = OQ_COMBINE_ADD, .finish = OQ_FINISH_LOG};
OQ_REDUCE_RUN(steps)

static const oq_op_version versions[] = {OQ_VERSIONS_REDUCE, OQ_VERSION_REDUCE(28, OQ_T_FLOATS4, NULL)};

OQ_ONNX_OP(ReduceLogSum, versions);
