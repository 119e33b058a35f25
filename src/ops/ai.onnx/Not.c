// Not: logical negation.
#include "ops/lib/elementwise.h"
#include "ops/lib/unary.h"

OQ_UNARY_LOOP(u64, uint64_t, !x)

static const oq_unary formula = {.loop = {[OQ_WORK_U64] = u64}};
OQ_UNARY_RUN(formula)

static const oq_op_version versions[] = {OQ_VERSION_UNARY(1, "X:T -> Y:T", OQ_T(BOOL))};

OQ_ONNX_OP(Not, versions);
