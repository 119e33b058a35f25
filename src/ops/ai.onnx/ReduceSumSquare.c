// ReduceSumSquare: the sum of squares over axes.
#include "ops/lib/reduce.h"

static const oq_reduce steps = {.map = OQ_MAP_SQUARE, .combine = OQ_COMBINE_ADD};
OQ_REDUCE_RUN(steps)

static const oq_op_version versions[] = {OQ_VERSIONS_REDUCE};

OQ_ONNX_OP(ReduceSumSquare, versions);
