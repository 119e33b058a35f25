// ReduceSum: the sum over axes.
#include "ops/lib/reduce.h"

static const oq_reduce steps = {.combine = OQ_COMBINE_ADD};
OQ_REDUCE_RUN(steps)

static const oq_op_version versions[] = {OQ_VERSIONS_REDUCE_1_11,
                                         OQ_VERSION_REDUCE(13, OQ_REDUCE_TYPES_13, oq_upgrade_reduce)};

OQ_ONNX_OP(ReduceSum, versions);
