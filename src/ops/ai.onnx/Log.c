// Log: the natural logarithm; -inf at 0, NaN below.
#include "kernels/rows.h"
#include "ops/lib/elementwise.h"
#include "ops/lib/unary.h"

#include <math.h>

OQ_UNARY_ROWS(f32, oq_rows_log)
OQ_UNARY_LOOP(f64, double, log(x))

static const oq_unary formula = OQ_UNARY_FLOATS;
OQ_UNARY_RUN(formula)

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_13[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs_1[] = {{"consumed_inputs", OQ_ATTR_INTS, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "input:T -> output:T",
     .types = types_1,
     .attrs = attrs_1,
     .infer = oq_infer_unary,
     .run = run},
    {.since = 6,
     .signature = "input:T -> output:T",
     .types = types_1,
     .infer = oq_infer_unary,
     .run = run,
     .upgrade = oq_upgrade_consumed},
    {.since = 13, .signature = "input:T -> output:T", .types = types_13, .infer = oq_infer_unary, .run = run},
};

OQ_ONNX_OP(Log, versions);
