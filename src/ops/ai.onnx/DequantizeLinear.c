// DequantizeLinear: y = (x - x_zero_point) * x_scale, per tensor, per axis or blocked.
#include "ops/lib/infer.h"
#include "ops/lib/quantize.h"

enum { X, SCALE, ZERO };

// Element type of the output: output_dtype, else the scale's.
static oq_dtype output_dtype(const oq_node *node, oq_dtype scale) {
    const int64_t asked = oq_node_int(node, "output_dtype", 0);
    return asked ? (oq_dtype)asked : scale;
}

static oq_status check_dtype(oq_dtype dtype, oq_error *err) {
    if (dtype == ONNXQ_FLOAT || dtype == ONNXQ_FLOAT16 || dtype == ONNXQ_BFLOAT16) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL,
                   "DequantizeLinear cannot produce %s (data type %d): set output_dtype",
                   oq_dtype_info(dtype)->name, (int)dtype);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_dtype dtype = output_dtype(context->node, oq_infer_dtype(context, SCALE));
    if (dtype == ONNXQ_UNDEFINED) return ONNXQ_OK;
    OQ_TRY(check_dtype(dtype, err));
    oq_infer_set_dtype(context, 0, dtype);
    const oq_type *x = oq_infer_in(context, X);
    if (x) oq_infer_set(context, 0, dtype, x->rank, x->dim);
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, X);
    const oq_tensor *scale = oq_in(context, SCALE);
    const oq_node *node = context->node;
    const oq_dtype dtype = output_dtype(node, scale->dtype);
    oq_quantize_layout layout;
    OQ_TRY(check_dtype(dtype, err));
    OQ_TRY(oq_quantize_layout_make(&x->shape, &scale->shape, oq_node_int(node, "axis", 1),
                                   oq_node_int(node, "block_size", 0), &layout, err));
    const float *scales = NULL;
    const int32_t *zeros = NULL;
    OQ_TRY(oq_quantize_parameters(context, scale, oq_in(context, ZERO), &scales, &zeros, err));
    oq_tensor *y = NULL;
    OQ_TRY(oq_out(context, 0, dtype, &x->shape, &y, err));
    oq_dequantize_row row = {.x_dtype = x->dtype, .parameter_stride = layout.stride, .y_dtype = dtype};
    for (size_t i = 0; i < layout.rows && oq_tensor_count(x); i++) {
        size_t offset = 0;
        size_t first = 0;
        oq_quantize_layout_row(&layout, i, &offset, &row.count, &first);
        row.x = oq_at(x->data, offset, oq_dtype_bytes(x->dtype));
        row.y = oq_at_mutable(y->data, offset, oq_dtype_bytes(dtype));
        row.scale = scales + first;
        row.zero = zeros + first;
        oq_dequantize_row_run(&row);
    }
    return ONNXQ_OK;
}

#define RUNS    .infer = infer, .run = run
#define T8      (OQ_T(INT8) | OQ_T(UINT8))
#define T16     (OQ_T(INT16) | OQ_T(UINT16))
#define FLOATS  (OQ_T_FLOAT32 | OQ_T(FLOAT16) | OQ_T(BFLOAT16))
#define GRIDS10 (T8 | OQ_T(INT32))
#define GRIDS19 (GRIDS10 | OQ_T_FLOAT8)
#define GRIDS21 (GRIDS19 | T16 | OQ_T(INT4) | OQ_T(UINT4))
#define GRIDS23 (GRIDS21 | OQ_T(FLOAT4E2M1))
#define GRIDS25 (GRIDS23 | OQ_T(INT2) | OQ_T(UINT2))
#define GRIDS28 (GRIDS25 | OQ_T(FLOAT6E2M3) | OQ_T(FLOAT6E3M2))
#define SCALES  (FLOATS | OQ_T(FLOAT8E8M0))
static const oq_type_set types_10[] = {{"T", GRIDS10}, {0}};
static const oq_type_set types_19[] = {{"T1", GRIDS19}, {"T2", FLOATS}, {0}};
static const oq_type_set types_21[] = {{"T1", GRIDS21}, {"T2", FLOATS}, {0}};
static const oq_type_set types_23[] = {{"T1", GRIDS23}, {"T2", FLOATS}, {"T3", FLOATS}, {0}};
static const oq_type_set types_24[] = {{"T1", GRIDS23}, {"T2", SCALES}, {"T3", FLOATS}, {0}};
static const oq_type_set types_25[] = {{"T1", GRIDS25}, {"T2", SCALES}, {"T3", FLOATS}, {0}};
static const oq_type_set types_28[] = {{"T1", GRIDS28}, {"T2", SCALES}, {"T3", FLOATS}, {0}};
static const oq_attr_spec attrs_13[] = {{"axis", OQ_ATTR_INT, false}, {0}};
static const oq_attr_spec attrs_21[] = {
    {"axis", OQ_ATTR_INT, false}, {"block_size", OQ_ATTR_INT, false}, {0}};
static const oq_attr_spec attrs_23[] = {{"axis", OQ_ATTR_INT, false},
                                        {"block_size", OQ_ATTR_INT, false},
                                        {"output_dtype", OQ_ATTR_INT, false},
                                        {0}};
#define SIGNATURE_10 "x:T, x_scale:float32, x_zero_point?:T -> y:float32"
#define SIGNATURE_19 "x:T1, x_scale:T2, x_zero_point?:T1 -> y:T2"
#define SIGNATURE_23 "x:T1, x_scale:T2, x_zero_point?:T1 -> y:T3"

static const oq_op_version versions[] = {
    {.since = 10, .signature = SIGNATURE_10, .types = types_10, RUNS},
    {.since = 13, .signature = SIGNATURE_10, .types = types_10, .attrs = attrs_13, RUNS},
    {.since = 19, .signature = SIGNATURE_19, .types = types_19, .attrs = attrs_13, RUNS},
    {.since = 21, .signature = SIGNATURE_19, .types = types_21, .attrs = attrs_21, RUNS},
    {.since = 23, .signature = SIGNATURE_23, .types = types_23, .attrs = attrs_23, RUNS},
    {.since = 24, .signature = SIGNATURE_23, .types = types_24, .attrs = attrs_23, RUNS},
    {.since = 25, .signature = SIGNATURE_23, .types = types_25, .attrs = attrs_23, RUNS},
    {.since = 28, .signature = SIGNATURE_23, .types = types_28, .attrs = attrs_23, RUNS},
};
OQ_ONNX_OP(DequantizeLinear, versions);
