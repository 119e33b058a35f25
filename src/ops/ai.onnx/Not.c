// Not: logical negation.
#include "ops/lib/elementwise.h"
#include "ops/lib/unary.h"

OQ_UNARY_LOOP(u64, uint64_t, !x)

static const oq_unary formula = {.loop = {[OQ_WORK_U64] = u64}};
OQ_UNARY_RUN(formula)

static const oq_type_set types_1[] = {{"T", OQ_T(BOOL)}, {0}};

static const oq_op_version versions[] = {
    {.since = 1, .signature = "X:T -> Y:T", .types = types_1, .infer = oq_infer_unary, .run = run},
};

OQ_ONNX_OP(Not, versions);
