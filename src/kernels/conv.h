// Convolution over packed weights: float32, and exact 8-bit to int32; 1-D to 3-D, groups, strides, dilations,
// padding.
#ifndef OQ_KERNELS_CONV_H
#define OQ_KERNELS_CONV_H

#include "kernels/gemm.h"

#define OQ_CONV_MAX_SPATIAL 3

// Geometry of one image: x [C, in...], w [M, C/groups, kernel...], y [M, out...].
typedef struct oq_conv_shape {
    int spatial;                      // 1..3
    size_t groups, channels, filters; // C, M
    size_t in[OQ_CONV_MAX_SPATIAL], out[OQ_CONV_MAX_SPATIAL], kernel[OQ_CONV_MAX_SPATIAL];
    size_t stride[OQ_CONV_MAX_SPATIAL], dilation[OQ_CONV_MAX_SPATIAL],
        pad[OQ_CONV_MAX_SPATIAL]; // pad: at the begin
} oq_conv_shape;

// Packed weights depend on groups, channels, filters, kernel, stride and dilation, not on the image's size.
size_t oq_conv_f32_packed_bytes(const oq_conv_shape *s); // SIZE_MAX on overflow
void oq_conv_f32_pack(const oq_conv_shape *s, const float *w, void *packed);
// y = conv(x, w) + bias, one image; bias [M] or NULL; `low`/`high` clamp when epilogue says so. Needs no
// scratch: tiles of at most 128 KiB live on the worker's stack. Each output is one chain of fused
// multiply-adds over (channel, kernel position) from +0; padded places take part as x = +0.
void oq_conv_f32_run(const oq_conv_shape *s, const float *x, const void *packed, const float *bias,
                     oq_epilogue epilogue, float low, float high, float *y, oq_pool *pool);

// acc[M, out...] int32 = sum (x - x_zero) * (w - w_zero[m]); padded places count as x = x_zero. Exact.
typedef struct oq_conv_8 {
    const oq_conv_shape *shape;
    const void *x; // one byte each
    bool x_signed, w_signed;
    int32_t x_zero;
    const void *packed;
    const int32_t *w_zero; // one value, or [M] when per_filter
    bool w_zero_per_filter;
    int32_t *acc;
    const oq_requantize *requantize; // per filter; or NULL: the result stays in acc
    oq_pool *pool;
} oq_conv_8;

size_t oq_conv_8_packed_bytes(const oq_conv_shape *s);
void oq_conv_8_pack(const oq_conv_shape *s, const void *w, bool w_signed, void *packed);
void oq_conv_8_run(const oq_conv_8 *c);

#endif
