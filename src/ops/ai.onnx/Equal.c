// Equal: true where a == b, broadcast.
#include "ops/lib/binary.h"
#include "ops/lib/elementwise.h"

#include <string.h>

OQ_BINARY_TEST(f32, float, a == b)
OQ_BINARY_TEST(f64, double, a == b)
OQ_BINARY_TEST(i64, int64_t, a == b)
OQ_BINARY_TEST(u64, uint64_t, a == b)

static bool strings(const char *a, size_t a_length, const char *b, size_t b_length) {
    return a_length == b_length && memcmp(a, b, a_length) == 0;
}

static const oq_binary formula = {
    .loop = {[OQ_WORK_F32] = f32, [OQ_WORK_F64] = f64, [OQ_WORK_I64] = i64, [OQ_WORK_U64] = u64},
    .to_bool = true,
    .strings = strings};
OQ_BINARY_RUN(formula)

static const oq_type_set types_1[] = {{"T", OQ_T_INDEX | OQ_T(BOOL)}, {"T1", OQ_T(BOOL)}, {0}};
static const oq_type_set types_11[] = {{"T", OQ_T_NUMERIC3 | OQ_T(BOOL)}, {"T1", OQ_T(BOOL)}, {0}};
static const oq_type_set types_13[] = {{"T", OQ_T_NUMERIC4 | OQ_T(BOOL)}, {"T1", OQ_T(BOOL)}, {0}};
static const oq_type_set types_19[] = {
    {"T", OQ_T_NUMERIC4 | OQ_T(BOOL) | OQ_T(STRING)}, {"T1", OQ_T(BOOL)}, {0}};
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
    {.since = 11, .signature = "A:T, B:T -> C:T1", .types = types_11, .infer = oq_infer_compare, .run = run},
    {.since = 13, .signature = "A:T, B:T -> C:T1", .types = types_13, .infer = oq_infer_compare, .run = run},
    {.since = 19, .signature = "A:T, B:T -> C:T1", .types = types_19, .infer = oq_infer_compare, .run = run},
};

OQ_ONNX_OP(Equal, versions);
