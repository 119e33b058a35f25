// Relu: max(x, 0); NaN and -0 stay.
#include "kernels/rows.h"
#include "ops/lib/elementwise.h"
#include "ops/lib/unary.h"

#include <math.h>

static void f32(const void *from, void *into, size_t n, const oq_parameter *p) {
    (void)p;
    oq_rows_clamp(from, 0, INFINITY, into, n);
}

OQ_UNARY_LOOP(f64, double, x < 0 ? 0 : x)
OQ_UNARY_LOOP(i64, int64_t, x < 0 ? 0 : x)

static const oq_unary formula = {.loop = {[OQ_WORK_F32] = f32, [OQ_WORK_F64] = f64, [OQ_WORK_I64] = i64}};
OQ_UNARY_RUN(formula)

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_13[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_type_set types_14[] = {{"T", OQ_T_FLOATS4 | OQ_T_INTS_SIGNED}, {0}};
static const oq_attr_spec attrs_1[] = {{"consumed_inputs", OQ_ATTR_INTS, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "X:T -> Y:T",
     .types = types_1,
     .attrs = attrs_1,
     .infer = oq_infer_unary,
     .run = run},
    {.since = 6,
     .signature = "X:T -> Y:T",
     .types = types_1,
     .infer = oq_infer_unary,
     .run = run,
     .upgrade = oq_upgrade_consumed},
    {.since = 13, .signature = "X:T -> Y:T", .types = types_13, .infer = oq_infer_unary, .run = run},
    {.since = 14, .signature = "X:T -> Y:T", .types = types_14, .infer = oq_infer_unary, .run = run},
};

OQ_ONNX_OP(Relu, versions);
