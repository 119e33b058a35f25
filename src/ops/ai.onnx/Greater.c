// Greater: true where a > b, broadcast.
#include "ops/lib/binary.h"
#include "ops/lib/elementwise.h"

OQ_BINARY_TEST(f32, float, a > b)
OQ_BINARY_TEST(f64, double, a > b)
OQ_BINARY_TEST(i64, int64_t, a > b)
OQ_BINARY_TEST(u64, uint64_t, a > b)

static const oq_binary formula = OQ_BINARY_RELATION;
OQ_BINARY_RUN(formula)

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {"T1", OQ_T(BOOL)}, {0}};
static const oq_type_set types_9[] = {{"T", OQ_T_NUMERIC3}, {"T1", OQ_T(BOOL)}, {0}};
static const oq_type_set types_13[] = {{"T", OQ_T_NUMERIC4}, {"T1", OQ_T(BOOL)}, {0}};
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
    {.since = 9, .signature = "A:T, B:T -> C:T1", .types = types_9, .infer = oq_infer_compare, .run = run},
    {.since = 13, .signature = "A:T, B:T -> C:T1", .types = types_13, .infer = oq_infer_compare, .run = run},
};

OQ_ONNX_OP(Greater, versions);
