// Rows of QuantizeLinear and DequantizeLinear, and how their parameters lie.
#include "ops/lib/quantize.h"

#include "kernels/rows.h"

#include <math.h>

static bool is_byte(oq_dtype dtype) { return dtype == ONNXQ_INT8 || dtype == ONNXQ_UINT8; }

// x[i] / scale, in float32 or rounded to the precision that is asked for.
static void quotients(const oq_quantize_row *row, const float *scale, float *x, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] /= scale[i * row->parameter_stride];
    if (row->precision == ONNXQ_UNDEFINED || row->precision == ONNXQ_FLOAT) return;
    uint64_t rounded[OQ_BLOCK];
    oq_store_f32(row->precision, x, rounded, count);
    oq_load_f32(row->precision, rounded, x, count);
}

// Rounds half to even, adds the zero point, saturates: by clamping to the range less the zero point, which is
// exact in float32 for grids of at most 16 bits. NaN gives the zero point.
static void to_grid(const oq_quantize_row *row, const int32_t *zero, const float *x, int64_t *q,
                    size_t count) {
    const oq_dtype_traits *traits = oq_dtype_info(row->y_dtype);
    for (size_t i = 0; i < count; i++) {
        const int32_t z = zero[i * row->parameter_stride];
        const float low = (float)(traits->min - z);
        const float high = (float)((int64_t)traits->max - z);
        float r = rintf(x[i]);
        if (r != r) r = 0;
        r = r < low ? low : r > high ? high : r;
        q[i] = (int64_t)r + z;
    }
}

static void quantize_block(const oq_quantize_row *row, const float *scale, const int32_t *zero, float *x,
                           void *y, size_t count) {
    if (!row->parameter_stride && is_byte(row->y_dtype) && row->precision == ONNXQ_UNDEFINED) {
        oq_rows_quantize_8(x, *scale, *zero, row->y_dtype == ONNXQ_INT8, y, count);
        return;
    }
    quotients(row, scale, x, count);
    if (oq_dtype_info(row->y_dtype)->is_float) {
        for (size_t i = 0; i < count; i++) {
            ((uint8_t *)y)[i] = oq_small_float_from_float(row->y_dtype, x[i], row->saturate);
        }
        return;
    }
    int64_t q[OQ_BLOCK];
    to_grid(row, zero, x, q, count);
    oq_store_i64(row->y_dtype, q, y, count);
}

void oq_quantize_row_run(const oq_quantize_row *row) {
    const bool is_plain = !row->parameter_stride && row->x_dtype == ONNXQ_FLOAT && is_byte(row->y_dtype) &&
                          row->precision == ONNXQ_UNDEFINED;
    if (is_plain) {
        oq_rows_quantize_8(row->x, *row->scale, *row->zero, row->y_dtype == ONNXQ_INT8, row->y, row->count);
        return;
    }
    const size_t x_bytes = oq_dtype_bytes(row->x_dtype);
    const size_t y_bytes = oq_dtype_bytes(row->y_dtype);
    float x[OQ_BLOCK];
    for (size_t i = 0; i < row->count; i += OQ_BLOCK) {
        const size_t count = oq_min_size(OQ_BLOCK, row->count - i);
        const size_t k = i * row->parameter_stride;
        oq_load_f32(row->x_dtype, oq_at(row->x, i, x_bytes), x, count);
        quantize_block(row, row->scale + k, row->zero + k, x, oq_at_mutable(row->y, i, y_bytes), count);
    }
}

// (x - zero) * scale; integers are subtracted exactly.
static void dequantize_block(const oq_dequantize_row *row, const float *scale, const int32_t *zero,
                             const void *x, float *y, size_t count) {
    const size_t stride = row->parameter_stride;
    if (oq_dtype_info(row->x_dtype)->is_float) {
        oq_load_f32(row->x_dtype, x, y, count);
        for (size_t i = 0; i < count; i++) y[i] *= scale[i * stride];
        return;
    }
    int64_t q[OQ_BLOCK];
    oq_load_i64(row->x_dtype, x, q, count);
    for (size_t i = 0; i < count; i++) y[i] = (float)(q[i] - zero[i * stride]) * scale[i * stride];
}

void oq_dequantize_row_run(const oq_dequantize_row *row) {
    if (!row->parameter_stride && is_byte(row->x_dtype) && row->y_dtype == ONNXQ_FLOAT) {
        oq_rows_dequantize_8(row->x, *row->scale, *row->zero, row->x_dtype == ONNXQ_INT8, row->y, row->count);
        return;
    }
    const size_t x_bytes = oq_dtype_bytes(row->x_dtype);
    const size_t y_bytes = oq_dtype_bytes(row->y_dtype);
    float y[OQ_BLOCK];
    for (size_t i = 0; i < row->count; i += OQ_BLOCK) {
        const size_t count = oq_min_size(OQ_BLOCK, row->count - i);
        const size_t k = i * row->parameter_stride;
        dequantize_block(row, row->scale + k, row->zero + k, oq_at(row->x, i, x_bytes), y, count);
        oq_store_f32(row->y_dtype, y, oq_at_mutable(row->y, i, y_bytes), count);
    }
}

static oq_status does_not_fit(const oq_shape *x, const oq_shape *scale, int64_t block_size, oq_error *err) {
    char left[OQ_MAX_RANK * 21];
    char right[OQ_MAX_RANK * 21];
    return oq_fail(err, ONNXQ_BAD_MODEL, "scales of shape %s do not fit a tensor of shape %s%s",
                   oq_shape_format(scale, left, sizeof(left)), oq_shape_format(x, right, sizeof(right)),
                   block_size ? " with this block_size" : "");
}

// One scale for each block of the axis: all other sizes are equal.
static bool blocks_fit(const oq_shape *x, const oq_shape *scale, int axis, int64_t block) {
    if (x->rank != scale->rank) return false;
    for (int i = 0; i < x->rank; i++) {
        if (i != axis && x->dim[i] != scale->dim[i]) return false;
    }
    const int64_t whole = x->dim[axis] / block + (x->dim[axis] % block != 0);
    return scale->dim[axis] == whole;
}

oq_status oq_quantize_layout_make(const oq_shape *x, const oq_shape *scale, int64_t axis, int64_t block_size,
                                  oq_quantize_layout *out, oq_error *err) {
    *out = (oq_quantize_layout){.rows = 1, .run = (size_t)oq_shape_count(x), .size = 1, .inner = 1};
    if (scale->rank <= 1 && oq_shape_count(scale) == 1) return ONNXQ_OK;
    int at = 0;
    if (!oq_axis_normalize(axis, x->rank, &at)) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "axis %lld is out of range for rank %d", (long long)axis,
                       x->rank);
    }
    if (block_size < 0) return oq_fail(err, ONNXQ_BAD_MODEL, "block_size must not be negative");
    out->size = (size_t)x->dim[at];
    out->inner = (size_t)oq_shape_range_count(x, at + 1, x->rank);
    const size_t outer = (size_t)oq_shape_range_count(x, 0, at);
    if (block_size) {
        if (!blocks_fit(x, scale, at, block_size)) return does_not_fit(x, scale, block_size, err);
        out->block = (size_t)block_size;
        out->blocks = (size_t)scale->dim[at];
        out->stride = out->inner > 1;
        out->rows = outer * (out->inner > 1 ? out->size : out->blocks);
        out->run = out->inner > 1 ? out->inner : out->block;
        return ONNXQ_OK;
    }
    if (scale->rank != 1 || scale->dim[0] != x->dim[at]) return does_not_fit(x, scale, block_size, err);
    out->stride = out->inner == 1;
    out->rows = out->inner == 1 ? outer : outer * out->size;
    out->run = out->inner == 1 ? out->size : out->inner;
    return ONNXQ_OK;
}

void oq_quantize_layout_row(const oq_quantize_layout *layout, size_t row, size_t *offset, size_t *count,
                            size_t *first) {
    *offset = row * layout->run;
    *count = layout->run;
    *first = 0;
    if (layout->block && layout->inner == 1) {
        const size_t begin = row % layout->blocks * layout->block;
        *offset = row / layout->blocks * layout->size + begin;
        *count = oq_min_size(layout->block, layout->size - begin);
        *first = row;
    } else if (layout->block) {
        const size_t outer = row / layout->size;
        *first = (outer * layout->blocks + row % layout->size / layout->block) * layout->inner;
    } else if (!layout->stride) {
        *first = layout->rows == 1 ? 0 : row % layout->size;
    }
}

oq_status oq_quantize_parameters(oq_run_context *context, const oq_tensor *scale, const oq_tensor *zero,
                                 const float **scales, const int32_t **zeros, oq_error *err) {
    const size_t count = (size_t)oq_tensor_count(scale);
    const void *values = NULL;
    void *block = NULL;
    if (zero && oq_tensor_count(zero) != (int64_t)count) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "there are %zu scales but %lld zero points", count,
                       (long long)oq_tensor_count(zero));
    }
    OQ_TRY(oq_array_in(context, scale, OQ_WORK_F32, &values, err));
    OQ_TRY(oq_scratch_array(context, count, sizeof(int32_t), &block, err));
    int32_t *integers = block;
    const bool has_integers = zero && !oq_dtype_info(zero->dtype)->is_float;
    for (size_t i = 0; i < count; i++) {
        integers[i] = has_integers ? (int32_t)oq_tensor_get_i64(zero, (int64_t)i) : 0;
    }
    *scales = values;
    *zeros = integers;
    return ONNXQ_OK;
}
