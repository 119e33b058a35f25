// QuantizeLinear: y = saturate(round(x / y_scale) + y_zero_point), per tensor, per axis or blocked.
#include "ops/lib/quantize_linear.h"

// Before 13 there was one scale for the whole tensor, and a vector of one element is read so ever since;
// nothing but the number changes in later versions either.
#define RUNS    .infer = oq_quantize_linear_infer, .run = oq_quantize_linear_run
#define T8      (OQ_T(INT8) | OQ_T(UINT8))
#define T16     (OQ_T(INT16) | OQ_T(UINT16))
#define FLOATS  (OQ_T_FLOAT32 | OQ_T(FLOAT16) | OQ_T(BFLOAT16))
#define WIDE    (FLOATS | OQ_T(INT32))
#define GRIDS21 (T8 | T16 | OQ_T_FLOAT8 | OQ_T(INT4) | OQ_T(UINT4))
#define GRIDS23 (GRIDS21 | OQ_T(FLOAT4E2M1))
#define GRIDS25 (GRIDS23 | OQ_T(INT2) | OQ_T(UINT2))
#define GRIDS28 (GRIDS25 | OQ_T(FLOAT6E2M3) | OQ_T(FLOAT6E3M2))
static const oq_type_set types_10[] = {{"T1", OQ_T_FLOAT32 | OQ_T(INT32)}, {"T2", T8}, {0}};
static const oq_type_set types_19[] = {{"T1", WIDE}, {"T2", T8 | OQ_T_FLOAT8}, {0}};
static const oq_type_set types_21[] = {{"T1", WIDE}, {"T2", GRIDS21}, {0}};
static const oq_type_set types_23[] = {{"T1", WIDE}, {"T2", WIDE}, {"T3", GRIDS23}, {0}};
static const oq_type_set types_24[] = {{"T1", WIDE}, {"T2", WIDE | OQ_T(FLOAT8E8M0)}, {"T3", GRIDS23}, {0}};
static const oq_type_set types_25[] = {{"T1", WIDE}, {"T2", WIDE | OQ_T(FLOAT8E8M0)}, {"T3", GRIDS25}, {0}};
static const oq_type_set types_28[] = {{"T1", WIDE}, {"T2", WIDE | OQ_T(FLOAT8E8M0)}, {"T3", GRIDS28}, {0}};
static const oq_attr_spec attrs_13[] = {{"axis", OQ_ATTR_INT, false}, {0}};
static const oq_attr_spec attrs_19[] = {{"axis", OQ_ATTR_INT, false}, {"saturate", OQ_ATTR_INT, false}, {0}};
static const oq_attr_spec attrs_21[] = {{"axis", OQ_ATTR_INT, false},
                                        {"block_size", OQ_ATTR_INT, false},
                                        {"output_dtype", OQ_ATTR_INT, false},
                                        {"saturate", OQ_ATTR_INT, false},
                                        {0}};
static const oq_attr_spec attrs_23[] = {
    {"axis", OQ_ATTR_INT, false},         {"block_size", OQ_ATTR_INT, false},
    {"output_dtype", OQ_ATTR_INT, false}, {"precision", OQ_ATTR_INT, false},
    {"saturate", OQ_ATTR_INT, false},     {0}};
#define SIGNATURE_10 "x:T1, y_scale:float32, y_zero_point?:T2 -> y:T2"
#define SIGNATURE_19 "x:T1, y_scale:T1, y_zero_point?:T2 -> y:T2"
#define SIGNATURE_23 "x:T1, y_scale:T2, y_zero_point?:T3 -> y:T3"

static const oq_op_version versions[] = {
    {.since = 10, .signature = SIGNATURE_10, .types = types_10, RUNS},
    {.since = 13, .signature = SIGNATURE_10, .types = types_10, .attrs = attrs_13, RUNS},
    {.since = 19, .signature = SIGNATURE_19, .types = types_19, .attrs = attrs_19, RUNS},
    {.since = 21, .signature = SIGNATURE_19, .types = types_21, .attrs = attrs_21, RUNS},
    {.since = 23, .signature = SIGNATURE_23, .types = types_23, .attrs = attrs_23, RUNS},
    {.since = 24, .signature = SIGNATURE_23, .types = types_24, .attrs = attrs_23, RUNS},
    {.since = 25, .signature = SIGNATURE_23, .types = types_25, .attrs = attrs_23, RUNS},
    {.since = 28, .signature = SIGNATURE_23, .types = types_28, .attrs = attrs_23, RUNS},
};
OQ_ONNX_OP(QuantizeLinear, versions);
