// QuantizeLinear: y = saturate(round(x / y_scale) + y_zero_point), per tensor, per axis or blocked.
#include "ops/lib/infer.h"
#include "ops/lib/quantize.h"

enum { X, SCALE, ZERO };

// Element type of the output: the zero point's, else output_dtype, else uint8.
static oq_dtype output_dtype(const oq_node *node, oq_dtype zero) {
    const int64_t asked = oq_node_int(node, "output_dtype", 0);
    if (zero != ONNXQ_UNDEFINED) return zero;
    return asked ? (oq_dtype)asked : ONNXQ_UINT8;
}

static oq_status check_dtype(oq_dtype dtype, oq_error *err) {
    const oq_dtype_traits *traits = oq_dtype_info(dtype);
    if (traits->bits >= 2 && traits->bits <= 16 &&
        (traits->is_integer || (traits->is_float && traits->bits <= 8))) {
        return ONNXQ_OK;
    }
    return oq_fail(err, ONNXQ_BAD_MODEL, "QuantizeLinear cannot produce %s (data type %d)", traits->name,
                   (int)dtype);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const bool has_zero = oq_infer_given(context, ZERO);
    const oq_dtype zero = oq_infer_dtype(context, ZERO);
    if (has_zero && zero == ONNXQ_UNDEFINED) return ONNXQ_OK;
    const oq_dtype dtype = output_dtype(context->node, has_zero ? zero : ONNXQ_UNDEFINED);
    OQ_TRY(check_dtype(dtype, err));
    oq_infer_set_dtype(context, 0, dtype);
    const oq_type *x = oq_infer_in(context, X);
    if (x) oq_infer_set(context, 0, dtype, x->rank, x->dim);
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, X);
    const oq_tensor *scale = oq_in(context, SCALE);
    const oq_tensor *zero = oq_in(context, ZERO);
    const oq_node *node = context->node;
    const oq_dtype dtype = output_dtype(node, zero ? zero->dtype : ONNXQ_UNDEFINED);
    oq_quantize_layout layout;
    OQ_TRY(check_dtype(dtype, err));
    OQ_TRY(oq_quantize_layout_make(&x->shape, &scale->shape, oq_node_int(node, "axis", 1),
                                   oq_node_int(node, "block_size", 0), &layout, err));
    const float *scales = NULL;
    const int32_t *zeros = NULL;
    OQ_TRY(oq_quantize_parameters(context, scale, zero, &scales, &zeros, err));
    oq_tensor *y = NULL;
    OQ_TRY(oq_out(context, 0, dtype, &x->shape, &y, err));
    oq_quantize_row row = {.x_dtype = x->dtype,
                           .parameter_stride = layout.stride,
                           .saturate = oq_node_int(node, "saturate", 1) != 0,
                           .precision = (oq_dtype)oq_node_int(node, "precision", 0),
                           .y_dtype = dtype};
    for (size_t i = 0; i < layout.rows && oq_tensor_count(x); i++) {
        size_t offset = 0;
        size_t first = 0;
        oq_quantize_layout_row(&layout, i, &offset, &row.count, &first);
        row.x = oq_at(x->data, offset, oq_dtype_bytes(x->dtype));
        row.y = oq_at_mutable(y->data, offset, oq_dtype_bytes(dtype));
        row.scale = scales + first;
        row.zero = zeros + first;
        oq_quantize_row_run(&row);
    }
    return ONNXQ_OK;
}

// Before 13 there was one scale for the whole tensor, and a vector of one element is read so ever since;
// nothing but the number changes in later versions either.
#define RUNS    .infer = infer, .run = run
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
