// AVX-512 (F, BW, DQ, VL) with VNNI: sixteen lanes; 8-bit products as u8 x s8 with vpdpbusd, four to a unit.
#ifndef OQ_KERNELS_SIMD_AVX512_H
#define OQ_KERNELS_SIMD_AVX512_H

#include <immintrin.h>

#define OQ_W      16
#define OQ_UNIT_8 4 // bytes: the sign bit of one side flipped where needed, so that it is u8 x s8
#define OQ_MR     14
#define OQ_NV     2

typedef __m512 vf;
typedef __m512i vi;
typedef __mmask16 vm;
typedef __m512d vd;

OQ_INLINE vm vm_first(size_t n) { return (vm)((1u << n) - 1u); }

OQ_INLINE vf vf_load(const float *p) { return _mm512_loadu_ps(p); }
OQ_INLINE vf vf_load_n(const float *p, size_t n) { return _mm512_maskz_loadu_ps(vm_first(n), p); }
OQ_INLINE void vf_store(float *p, vf a) { _mm512_storeu_ps(p, a); }
OQ_INLINE void vf_store_n(float *p, vf a, size_t n) { _mm512_mask_storeu_ps(p, vm_first(n), a); }
OQ_INLINE vf vf_set1(float a) { return _mm512_set1_ps(a); }
OQ_INLINE vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
OQ_INLINE vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
OQ_INLINE vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
OQ_INLINE vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
OQ_INLINE vf vf_sqrt(vf a) { return _mm512_sqrt_ps(a); }
OQ_INLINE vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
OQ_INLINE vf vf_floor(vf a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
OQ_INLINE vm vf_lt(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
OQ_INLINE vm vf_eq(vf a, vf b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
OQ_INLINE vm vf_nan(vf a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
OQ_INLINE vf vf_select(vm m, vf yes, vf no) { return _mm512_mask_blend_ps(m, no, yes); }
OQ_INLINE vf vf_convert(vi a) { return _mm512_cvtepi32_ps(a); }
OQ_INLINE vi vi_truncate(vf a) { return _mm512_cvttps_epi32(a); }
OQ_INLINE vi vf_bits(vf a) { return _mm512_castps_si512(a); }
OQ_INLINE vf vf_from_bits(vi a) { return _mm512_castsi512_ps(a); }

OQ_INLINE vi vi_load(const void *p) { return _mm512_loadu_si512(p); }
OQ_INLINE vi vi_load_n(const int32_t *p, size_t n) { return _mm512_maskz_loadu_epi32(vm_first(n), p); }
OQ_INLINE void vi_store(void *p, vi a) { _mm512_storeu_si512(p, a); }
OQ_INLINE void vi_store_n(int32_t *p, vi a, size_t n) { _mm512_mask_storeu_epi32(p, vm_first(n), a); }
OQ_INLINE vi vi_set1(int32_t a) { return _mm512_set1_epi32(a); }
OQ_INLINE vi vi_add(vi a, vi b) { return _mm512_add_epi32(a, b); }
OQ_INLINE vi vi_sub(vi a, vi b) { return _mm512_sub_epi32(a, b); }
OQ_INLINE vi vi_mul(vi a, vi b) { return _mm512_mullo_epi32(a, b); }
OQ_INLINE vi vi_and(vi a, vi b) { return _mm512_and_si512(a, b); }
OQ_INLINE vi vi_or(vi a, vi b) { return _mm512_or_si512(a, b); }
OQ_INLINE vi vi_shl(vi a, int n) { return _mm512_slli_epi32(a, (unsigned)n); }
OQ_INLINE vi vi_sra(vi a, int n) { return _mm512_srai_epi32(a, (unsigned)n); }
OQ_INLINE vi vi_evens(vi a, vi b) {
    const vi places = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    return _mm512_permutex2var_epi32(a, places, b);
}
OQ_INLINE vi vi_odds(vi a, vi b) {
    const vi places = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    return _mm512_permutex2var_epi32(a, places, b);
}

OQ_INLINE vm vm_and(vm a, vm b) { return (vm)(a & b); }
OQ_INLINE vm vm_or(vm a, vm b) { return (vm)(a | b); }
OQ_INLINE unsigned vm_count(vm a) { return (unsigned)__builtin_popcount(a); }

OQ_INLINE vd vd_zero(void) { return _mm512_setzero_pd(); }
OQ_INLINE vd vd_low(vf a) { return _mm512_cvtps_pd(_mm512_castps512_ps256(a)); }
OQ_INLINE vd vd_high(vf a) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(a, 1)); }
OQ_INLINE vd vd_add(vd a, vd b) { return _mm512_add_pd(a, b); }
OQ_INLINE vd vd_mul(vd a, vd b) { return _mm512_mul_pd(a, b); }
OQ_INLINE void vd_store(double *p, vd a) { _mm512_storeu_pd(p, a); }

OQ_INLINE vi vi_load_u8(const void *p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)); }
OQ_INLINE vi vi_load_i8(const void *p) { return _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)); }
OQ_INLINE vi vi_load_units(const uint8_t *p, bool is_signed, uint8_t flip) {
    (void)is_signed;
    return _mm512_xor_si512(_mm512_loadu_si512(p), _mm512_set1_epi8((char)flip));
}
OQ_INLINE void vi_store_8(void *p, vi a) { _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8(a)); }
OQ_INLINE void vi_store_8x4(void *p, const vi a[4], bool is_signed) {
    (void)is_signed;
    for (int i = 0; i < 4; i++) vi_store_8((uint8_t *)p + i * OQ_W, a[i]);
}

// gcc 12 spills the accumulators of the intrinsics, so the two dot products are written as instructions; a
// build that emulates this header's intrinsics brings its own.
#ifndef OQ_DPWSSD
#define OQ_DPWSSD(acc, a, b) __asm__("vpdpwssd %2, %1, %0" : "+v"(acc) : "v"(a), "vm"(b))
#define OQ_DPBUSD(acc, unsigned_side, signed_side)                                                           \
    __asm__("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(unsigned_side), "vm"(signed_side))
#endif

OQ_INLINE vi vi_dot(vi acc, vi a, vi b) {
    OQ_DPWSSD(acc, a, b);
    return acc;
}
OQ_INLINE vi vi_dot_units(vi acc, vi unsigned_side, vi signed_side) {
    OQ_DPBUSD(acc, unsigned_side, signed_side);
    return acc;
}

#endif
