// Rows of QuantizeLinear and DequantizeLinear for every pair of types, and how their parameters lie.
#ifndef OQ_OPS_LIB_QUANTIZE_H
#define OQ_OPS_LIB_QUANTIZE_H

#include "ops/lib/array.h"

// A run of elements that share one scale (stride 0) or have one each (stride 1).
typedef struct oq_quantize_row {
    oq_dtype x_dtype;
    const void *x;
    const float *scale;
    const int32_t *zero; // used for integers; float8 and smaller floats have zero point 0
    size_t parameter_stride;
    bool saturate;      // of float8
    oq_dtype precision; // of the quotient, before it is rounded to the grid; UNDEFINED: float32
    oq_dtype y_dtype;
    void *y;
    size_t count;
} oq_quantize_row;
void oq_quantize_row_run(const oq_quantize_row *row);

typedef struct oq_dequantize_row {
    oq_dtype x_dtype;
    const void *x;
    const float *scale;
    const int32_t *zero;
    size_t parameter_stride;
    oq_dtype y_dtype;
    void *y;
    size_t count;
} oq_dequantize_row;
void oq_dequantize_row_run(const oq_dequantize_row *row);

// How parameters lie over a tensor: rows of consecutive elements that share one parameter, or have one each.
typedef struct oq_quantize_layout {
    size_t size, inner; // the tensor as [outer, size, inner] around the axis
    size_t block;       // elements of the axis that share parameters; 0: not blocked
    size_t blocks;      // of one axis
    size_t rows, run;   // elements of a row; the last row of a blocked axis may be shorter
    size_t stride;      // of the parameters inside a row: 0 or 1
} oq_quantize_layout;

// For x of this shape, parameters of that shape, and the attributes axis and block_size.
oq_status oq_quantize_layout_make(const oq_shape *x, const oq_shape *scale, int64_t axis, int64_t block_size,
                                  oq_quantize_layout *out, oq_error *err);
// Where row `row` begins, how many elements it has, and which parameter is its first.
void oq_quantize_layout_row(const oq_quantize_layout *layout, size_t row, size_t *offset, size_t *count,
                            size_t *first);

// Reads scale and zero point into float32 and int32 arrays of as many values.
oq_status oq_quantize_parameters(oq_run_context *context, const oq_tensor *scale, const oq_tensor *zero,
                                 const float **scales, const int32_t **zeros, oq_error *err);

#endif
