// BitwiseOr: a | b on every bit, broadcast.
#include "ops/lib/binary.h"
#include "ops/lib/elementwise.h"

OQ_BINARY_LOOP(i64, int64_t, a | b)
OQ_BINARY_LOOP(u64, uint64_t, a | b)

static const oq_binary formula = {.loop = {[OQ_WORK_I64] = i64, [OQ_WORK_U64] = u64}};
OQ_BINARY_RUN(formula)

static const oq_type_set types_18[] = {{"T", OQ_T_INTS}, {0}};

static const oq_op_version versions[] = {
    {.since = 18, .signature = "A:T, B:T -> C:T", .types = types_18, .infer = oq_infer_binary, .run = run},
};

OQ_ONNX_OP(BitwiseOr, versions);
