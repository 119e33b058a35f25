// QuantizeLinear: y = saturate(round(x / y_scale) + y_zero_point), per tensor or per axis; had 16 and 4 bits
// before the standard.
#include "ops/lib/quantize_linear.h"

#define GRIDS (OQ_T(INT8) | OQ_T(UINT8) | OQ_T(INT16) | OQ_T(UINT16) | OQ_T(INT4) | OQ_T(UINT4))
static const oq_type_set types[] = {{"T1", OQ_T_FLOAT32 | OQ_T(FLOAT16)}, {"T2", GRIDS}, {0}};
static const oq_attr_spec attrs[] = {{"axis", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "x:T1, y_scale:T1, y_zero_point?:T2 -> y:T2",
     .types = types,
     .attrs = attrs,
     .infer = oq_quantize_linear_infer,
     .run = oq_quantize_linear_run},
};
OQ_MICROSOFT_OP(QuantizeLinear, versions);
