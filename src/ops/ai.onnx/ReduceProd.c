// ReduceProd: the product over axes.
#include "ops/lib/reduce.h"

static const oq_reduce steps = {.combine = OQ_COMBINE_MUL};
OQ_REDUCE_RUN(steps)

static const oq_op_version versions[] = {OQ_VERSIONS_REDUCE};

OQ_ONNX_OP(ReduceProd, versions);
