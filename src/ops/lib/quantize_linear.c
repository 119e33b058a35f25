// QuantizeLinear and DequantizeLinear: inference and kernels.
#include "ops/lib/quantize_linear.h"

#include "ops/lib/quantize.h"

enum { X, SCALE, ZERO };

// --- QuantizeLinear ---

// Element type of the output: the zero point's, else output_dtype, else uint8.
static oq_dtype quantized_dtype(const oq_node *node, oq_dtype zero) {
    const int64_t asked = oq_node_int(node, "output_dtype", 0);
    if (zero != ONNXQ_UNDEFINED) return zero;
    return asked ? (oq_dtype)asked : ONNXQ_UINT8;
}

static oq_status check_quantized(oq_dtype dtype, oq_error *err) {
    const oq_dtype_traits *traits = oq_dtype_info(dtype);
    if (traits->bits >= 2 && traits->bits <= 16 &&
        (traits->is_integer || (traits->is_float && traits->bits <= 8))) {
        return ONNXQ_OK;
    }
    return oq_fail(err, ONNXQ_BAD_MODEL, "QuantizeLinear cannot produce %s (data type %d)", traits->name,
                   (int)dtype);
}

oq_status oq_quantize_linear_infer(oq_infer_context *context, oq_error *err) {
    const bool has_zero = oq_infer_given(context, ZERO);
    const oq_dtype zero = oq_infer_dtype(context, ZERO);
    if (has_zero && zero == ONNXQ_UNDEFINED) return ONNXQ_OK;
    const oq_dtype dtype = quantized_dtype(context->node, has_zero ? zero : ONNXQ_UNDEFINED);
    OQ_TRY(check_quantized(dtype, err));
    oq_infer_set_dtype(context, 0, dtype);
    const oq_type *x = oq_infer_in(context, X);
    if (x) oq_infer_set(context, 0, dtype, x->rank, x->dim);
    return ONNXQ_OK;
}

oq_status oq_quantize_linear_run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, X);
    const oq_tensor *scale = oq_in(context, SCALE);
    const oq_tensor *zero = oq_in(context, ZERO);
    const oq_node *node = context->node;
    const oq_dtype dtype = quantized_dtype(node, zero ? zero->dtype : ONNXQ_UNDEFINED);
    oq_quantize_layout layout;
    OQ_TRY(check_quantized(dtype, err));
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

// --- DequantizeLinear ---

// Element type of the output: output_dtype, else the scale's.
static oq_dtype dequantized_dtype(const oq_node *node, oq_dtype scale) {
    const int64_t asked = oq_node_int(node, "output_dtype", 0);
    return asked ? (oq_dtype)asked : scale;
}

static oq_status check_dequantized(oq_dtype dtype, oq_error *err) {
    if (dtype == ONNXQ_FLOAT || dtype == ONNXQ_FLOAT16 || dtype == ONNXQ_BFLOAT16) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL,
                   "DequantizeLinear cannot produce %s (data type %d): set output_dtype",
                   oq_dtype_info(dtype)->name, (int)dtype);
}

oq_status oq_dequantize_linear_infer(oq_infer_context *context, oq_error *err) {
    const oq_dtype dtype = dequantized_dtype(context->node, oq_infer_dtype(context, SCALE));
    if (dtype == ONNXQ_UNDEFINED) return ONNXQ_OK;
    OQ_TRY(check_dequantized(dtype, err));
    oq_infer_set_dtype(context, 0, dtype);
    const oq_type *x = oq_infer_in(context, X);
    if (x) oq_infer_set(context, 0, dtype, x->rank, x->dim);
    return ONNXQ_OK;
}

oq_status oq_dequantize_linear_run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, X);
    const oq_tensor *scale = oq_in(context, SCALE);
    const oq_node *node = context->node;
    const oq_dtype dtype = dequantized_dtype(node, scale->dtype);
    oq_quantize_layout layout;
    OQ_TRY(check_dequantized(dtype, err));
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
