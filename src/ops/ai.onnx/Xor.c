// Xor: true where exactly one is true, broadcast.
#include "ops/lib/binary.h"
#include "ops/lib/elementwise.h"

OQ_BINARY_LOOP(u64, uint64_t, a ^ b)

static const oq_binary formula = {.loop = {[OQ_WORK_U64] = u64}};
OQ_BINARY_RUN(formula)

static const oq_type_set types_1[] = {{"T", OQ_T(BOOL)}, {"T1", OQ_T(BOOL)}, {0}};
static const oq_attr_spec attrs_1[] = {{"axis", OQ_ATTR_INT, false}, {"broadcast", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "A:T, B:T -> C:T1",
     .types = types_1,
     .attrs = attrs_1,
     .infer = oq_infer_test,
     .run = run},
    {.since = 7,
     .signature = "A:T, B:T -> C:T1",
     .types = types_1,
     .infer = oq_infer_compare,
     .run = run,
     .upgrade = oq_upgrade_broadcast},
};

OQ_ONNX_OP(Xor, versions);
