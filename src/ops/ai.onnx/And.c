// And: true where both are true, broadcast.
#include "ops/lib/binary.h"
#include "ops/lib/elementwise.h"

OQ_BINARY_LOOP(u64, uint64_t, a &b)

static const oq_binary formula = {.loop = {[OQ_WORK_U64] = u64}};
OQ_BINARY_RUN(formula)

static const oq_op_version versions[] = {OQ_VERSIONS_RELATION_1_7(OQ_T(BOOL))};

OQ_ONNX_OP(And, versions);
