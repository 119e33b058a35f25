// Transposing small matrices of 1-, 2- and 4-byte elements in registers.
#ifndef OQ_KERNELS_TRANSPOSE_H
#define OQ_KERNELS_TRANSPOSE_H

#include <stdint.h>

// to[p * to_stride + q] = from[p + q * from_stride] for p, q below 4, 8 and 8; strides in elements.
void oq_transpose_4x4_u32(uint32_t *to, int64_t to_stride, const uint32_t *from, int64_t from_stride);
void oq_transpose_8x8_u16(uint16_t *to, int64_t to_stride, const uint16_t *from, int64_t from_stride);
void oq_transpose_8x8_u8(uint8_t *to, int64_t to_stride, const uint8_t *from, int64_t from_stride);

#endif
