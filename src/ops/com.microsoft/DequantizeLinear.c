// DequantizeLinear: y = (x - x_zero_point) * x_scale, per tensor or per axis; had 16 and 4 bits before the
// standard.
#include "ops/lib/quantize_linear.h"

#define GRIDS (OQ_T(INT8) | OQ_T(UINT8) | OQ_T(INT16) | OQ_T(UINT16) | OQ_T(INT4) | OQ_T(UINT4))
static const oq_type_set types[] = {{"T1", GRIDS | OQ_T(INT32)}, {"T2", OQ_T_FLOAT32 | OQ_T(FLOAT16)}, {0}};
static const oq_attr_spec attrs[] = {{"axis", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "x:T1, x_scale:T2, x_zero_point?:T1 -> y:T2",
     .types = types,
     .attrs = attrs,
     .infer = oq_dequantize_linear_infer,
     .run = oq_dequantize_linear_run},
};
OQ_MICROSOFT_OP(DequantizeLinear, versions);
