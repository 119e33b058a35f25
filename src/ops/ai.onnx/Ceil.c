// Ceil: the least integer that is not below x.
#include "ops/lib/elementwise.h"
#include "ops/lib/unary.h"

#include <math.h>

OQ_UNARY_LOOP(f32, float, ceilf(x))
OQ_UNARY_LOOP(f64, double, ceil(x))

static const oq_unary formula = OQ_UNARY_FLOATS;
OQ_UNARY_RUN(formula)

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_13[] = {{"T", OQ_T_FLOATS4}, {0}};
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
};

OQ_ONNX_OP(Ceil, versions);
