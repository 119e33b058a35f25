// Pow: x to the power y, broadcast; the result has the type of x.
#include "ops/lib/binary.h"
#include "ops/lib/elementwise.h"
#include "ops/lib/power.h"

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_12[] = {{"T", OQ_T_FLOATS3 | OQ_T_INDEX}, {"T1", OQ_T_NUMERIC3}, {0}};
static const oq_type_set types_13[] = {{"T", OQ_T_FLOATS4 | OQ_T_INDEX}, {"T1", OQ_T_NUMERIC3}, {0}};
static const oq_type_set types_15[] = {{"T", OQ_T_FLOATS4 | OQ_T_INDEX}, {"T1", OQ_T_NUMERIC4}, {0}};
static const oq_attr_spec attrs_1[] = {{"axis", OQ_ATTR_INT, false}, {"broadcast", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "X:T, Y:T -> Z:T",
     .types = types_1,
     .attrs = attrs_1,
     .infer = oq_infer_unary,
     .run = oq_power_run},
    {.since = 7,
     .signature = "X:T, Y:T -> Z:T",
     .types = types_1,
     .infer = oq_infer_binary,
     .run = oq_power_run,
     .upgrade = oq_upgrade_broadcast},
    {.since = 12,
     .signature = "X:T, Y:T1 -> Z:T",
     .types = types_12,
     .infer = oq_infer_binary,
     .run = oq_power_run},
    {.since = 13,
     .signature = "X:T, Y:T1 -> Z:T",
     .types = types_13,
     .infer = oq_infer_binary,
     .run = oq_power_run},
    {.since = 15,
     .signature = "X:T, Y:T1 -> Z:T",
     .types = types_15,
     .infer = oq_infer_binary,
     .run = oq_power_run},
};

OQ_ONNX_OP(Pow, versions);
