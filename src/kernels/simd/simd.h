// Vectors of the instruction set that this file is compiled for, under names that all of them share:
//   vf  OQ_W floats        vi  OQ_W int32       vd  OQ_W / 2 doubles       vm  OQ_W truth values
// A "unit" is 4 bytes of a product's operand: one float, two int16 or four bytes (OQ_UNIT_8 bytes of the
// original numbers); vi_dot multiplies the numbers of two units and adds them to an int32, exactly.
#ifndef OQ_KERNELS_SIMD_SIMD_H
#define OQ_KERNELS_SIMD_SIMD_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define OQ_INLINE       static inline __attribute__((always_inline, unused))
#define OQ_PASTE_(a, b) oq_##a##_##b
#define OQ_PASTE(a, b)  OQ_PASTE_(a, b)
// A loop over registers: unrolled, so that they stay registers. A build over emulated vectors, which lie in
// memory, goes without: compiling it would take minutes.
#if defined(OQ_EMULATED)
#define OQ_EACH(i, count) for (int i = 0; i < (count); i++)
#else
#define OQ_EACH(i, count) _Pragma("GCC unroll 16") for (int i = 0; i < (count); i++)
#endif
// Name of a function in this instruction set's copy of the kernels.
#define OQ_FN(name) OQ_PASTE(name, OQ_ISA)

#if defined(OQ_ISA_IS_avx512)
#include "kernels/simd/avx512.h"
#elif defined(OQ_ISA_IS_avx2)
#include "kernels/simd/avx2.h"
#else
#include "kernels/simd/plain.h"
#endif

// Forms that follow from the others.
OQ_INLINE vf vf_zero(void) { return vf_set1(0.0f); }
OQ_INLINE vf vf_abs(vf a) { return vf_from_bits(vi_and(vf_bits(a), vi_set1(0x7fffffff))); }
OQ_INLINE vm vf_gt(vf a, vf b) { return vf_lt(b, a); }
// One unit in every lane.
OQ_INLINE vi vi_set1_unit(const void *unit) {
    int32_t bits;
    memcpy(&bits, unit, sizeof bits);
    return vi_set1(bits);
}
// Numbers below OQ_W of them: the first `n` lanes, the others as +0 or left alone.
OQ_INLINE vf vf_load_up_to(const float *p, size_t n) { return n >= OQ_W ? vf_load(p) : vf_load_n(p, n); }
OQ_INLINE vi vi_load_up_to(const int32_t *p, size_t n) { return n >= OQ_W ? vi_load(p) : vi_load_n(p, n); }
OQ_INLINE void vf_store_up_to(float *p, vf a, size_t n) {
    if (n >= OQ_W)
        vf_store(p, a);
    else
        vf_store_n(p, a, n);
}
OQ_INLINE void vi_store_up_to(int32_t *p, vi a, size_t n) {
    if (n >= OQ_W)
        vi_store(p, a);
    else
        vi_store_n(p, a, n);
}
// The low bytes of the first n lanes; pieces of fixed size, since a call of memcpy costs more than the bytes.
OQ_INLINE void vi_store_8_up_to(uint8_t *p, vi a, size_t n) {
    uint8_t bytes[OQ_W];
    if (n >= OQ_W) {
        vi_store_8(p, a);
        return;
    }
    vi_store_8(bytes, a);
    const uint8_t *from = bytes;
    for (size_t piece = OQ_W / 2; piece > 0; piece /= 2) {
        if (!(n & piece)) continue;
        if (piece == 8) memcpy(p, from, 8);
        if (piece == 4) memcpy(p, from, 4);
        if (piece == 2) memcpy(p, from, 2);
        if (piece == 1) *p = *from;
        p += piece, from += piece;
    }
}

// Clamps to integral bounds within +-2^22 (NaN becomes +0), rounds half to even, converts.
OQ_INLINE vi oq_round_clamped(vf x, vf low, vf high) {
    const vf shift = vf_set1(12582912.0f); // 1.5 * 2^23: the sum's last bit is 1
    x = vf_select(vf_nan(x), vf_zero(), x);
    x = vf_select(vf_lt(x, low), low, x);
    x = vf_select(vf_lt(high, x), high, x);
    return vi_sub(vf_bits(vf_add(x, shift)), vf_bits(shift));
}

// Sums to numbers of an 8-bit grid: round half to even of (float)sum * multiplier, plus zero point,
// saturated.
OQ_INLINE vi oq_requantize_vector(vi sum, vf multiplier, int32_t zero_point, bool is_signed) {
    const int32_t qmin = is_signed ? -128 : 0;
    const vf low = vf_set1((float)(qmin - zero_point)), high = vf_set1((float)(qmin + 255 - zero_point));
    return vi_add(oq_round_clamped(vf_mul(vf_convert(sum), multiplier), low, high), vi_set1(zero_point));
}

#endif
