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

static const oq_op_version versions[] = {OQ_VERSIONS_RELATION_1_7(OQ_T_INDEX | OQ_T(BOOL)),
                                         OQ_VERSION_RELATION(11, OQ_T_NUMERIC3 | OQ_T(BOOL)),
                                         OQ_VERSION_RELATION(13, OQ_T_NUMERIC4 | OQ_T(BOOL)),
                                         OQ_VERSION_RELATION(19, OQ_T_NUMERIC4 | OQ_T(BOOL) | OQ_T(STRING))};

OQ_ONNX_OP(Equal, versions);
