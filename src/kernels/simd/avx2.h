// AVX2 with FMA: eight lanes; 8-bit products widened to int16 pairs (vpmaddwd is exact, vpmaddubsw is not).
#ifndef OQ_KERNELS_SIMD_AVX2_H
#define OQ_KERNELS_SIMD_AVX2_H

#include <immintrin.h>

#define OQ_W      8
#define OQ_UNIT_8 2
#define OQ_MR     6
#define OQ_NV     2

typedef __m256 vf;
typedef __m256i vi;
typedef __m256 vm;
typedef __m256d vd;

// Lanes below n as all ones: a window of this line.
OQ_INLINE __m256i oq_first_lanes(size_t n) {
    static const int32_t line[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
    return _mm256_loadu_si256((const __m256i *)(const void *)(line + 8 - n));
}

OQ_INLINE vf vf_load(const float *p) { return _mm256_loadu_ps(p); }
OQ_INLINE vf vf_load_n(const float *p, size_t n) { return _mm256_maskload_ps(p, oq_first_lanes(n)); }
OQ_INLINE void vf_store(float *p, vf a) { _mm256_storeu_ps(p, a); }
// In halves: vmaskmov stores take dozens of cycles on some AMD cores.
OQ_INLINE void vf_store_n(float *p, vf a, size_t n) {
    __m128 part = _mm256_castps256_ps128(a);
    if (n & 4) {
        _mm_storeu_ps(p, part);
        part = _mm256_extractf128_ps(a, 1);
        p += 4;
    }
    if (n & 2) {
        _mm_storel_pi((__m64 *)(void *)p, part);
        part = _mm_movehl_ps(part, part);
        p += 2;
    }
    if (n & 1) _mm_store_ss(p, part);
}
OQ_INLINE vf vf_set1(float a) { return _mm256_set1_ps(a); }
OQ_INLINE vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
OQ_INLINE vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
OQ_INLINE vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
OQ_INLINE vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
OQ_INLINE vf vf_sqrt(vf a) { return _mm256_sqrt_ps(a); }
OQ_INLINE vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
OQ_INLINE vf vf_floor(vf a) { return _mm256_floor_ps(a); }
OQ_INLINE vm vf_lt(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
OQ_INLINE vm vf_eq(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
OQ_INLINE vm vf_nan(vf a) { return _mm256_cmp_ps(a, a, _CMP_UNORD_Q); }
OQ_INLINE vf vf_select(vm m, vf yes, vf no) { return _mm256_blendv_ps(no, yes, m); }
OQ_INLINE vf vf_convert(vi a) { return _mm256_cvtepi32_ps(a); }
OQ_INLINE vi vi_truncate(vf a) { return _mm256_cvttps_epi32(a); }
OQ_INLINE vi vf_bits(vf a) { return _mm256_castps_si256(a); }
OQ_INLINE vf vf_from_bits(vi a) { return _mm256_castsi256_ps(a); }

OQ_INLINE vi vi_load(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
OQ_INLINE vi vi_load_n(const int32_t *p, size_t n) { return _mm256_maskload_epi32(p, oq_first_lanes(n)); }
OQ_INLINE void vi_store(void *p, vi a) { _mm256_storeu_si256((__m256i *)p, a); }
OQ_INLINE void vi_store_n(int32_t *p, vi a, size_t n) {
    vf_store_n((float *)(void *)p, _mm256_castsi256_ps(a), n);
}
OQ_INLINE vi vi_set1(int32_t a) { return _mm256_set1_epi32(a); }
OQ_INLINE vi vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
OQ_INLINE vi vi_sub(vi a, vi b) { return _mm256_sub_epi32(a, b); }
OQ_INLINE vi vi_mul(vi a, vi b) { return _mm256_mullo_epi32(a, b); }
OQ_INLINE vi vi_and(vi a, vi b) { return _mm256_and_si256(a, b); }
OQ_INLINE vi vi_or(vi a, vi b) { return _mm256_or_si256(a, b); }
OQ_INLINE vi vi_shl(vi a, int n) { return _mm256_slli_epi32(a, n); }
OQ_INLINE vi vi_sra(vi a, int n) { return _mm256_srai_epi32(a, n); }
// Shuffles work in 128-bit halves, so the quarters of the result are put in order.
OQ_INLINE vi vi_evens(vi a, vi b) {
    const __m256 both = _mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0x88);
    return _mm256_permute4x64_epi64(_mm256_castps_si256(both), 0xd8);
}
OQ_INLINE vi vi_odds(vi a, vi b) {
    const __m256 both = _mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0xdd);
    return _mm256_permute4x64_epi64(_mm256_castps_si256(both), 0xd8);
}

OQ_INLINE vm vm_and(vm a, vm b) { return _mm256_and_ps(a, b); }
OQ_INLINE vm vm_or(vm a, vm b) { return _mm256_or_ps(a, b); }
OQ_INLINE vm vm_first(size_t n) { return _mm256_castsi256_ps(oq_first_lanes(n)); }
OQ_INLINE unsigned vm_count(vm a) { return (unsigned)__builtin_popcount((unsigned)_mm256_movemask_ps(a)); }

OQ_INLINE vd vd_zero(void) { return _mm256_setzero_pd(); }
OQ_INLINE vd vd_low(vf a) { return _mm256_cvtps_pd(_mm256_castps256_ps128(a)); }
OQ_INLINE vd vd_high(vf a) { return _mm256_cvtps_pd(_mm256_extractf128_ps(a, 1)); }
OQ_INLINE vd vd_add(vd a, vd b) { return _mm256_add_pd(a, b); }
OQ_INLINE vd vd_mul(vd a, vd b) { return _mm256_mul_pd(a, b); }
OQ_INLINE void vd_store(double *p, vd a) { _mm256_storeu_pd(p, a); }

OQ_INLINE vi vi_load_u8(const void *p) { return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)); }
OQ_INLINE vi vi_load_i8(const void *p) { return _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)); }
OQ_INLINE vi vi_load_units(const uint8_t *p, bool is_signed, uint8_t flip) {
    (void)flip;
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    return is_signed ? _mm256_cvtepi8_epi16(bytes) : _mm256_cvtepu8_epi16(bytes);
}
OQ_INLINE void vi_store_8(void *p, vi a) {
    const __m256i low = _mm256_set1_epi32(0x0c080400); // byte 0 of each int32 to the front of its half
    const __m256i bytes = _mm256_shuffle_epi8(a, low);
    const __m128i both =
        _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
    _mm_storel_epi64((__m128i *)p, both);
}
OQ_INLINE void vi_store_8x4(void *p, const vi a[4], bool is_signed) {
    const __m256i low = _mm256_packs_epi32(a[0], a[1]), high = _mm256_packs_epi32(a[2], a[3]);
    const __m256i bytes = is_signed ? _mm256_packs_epi16(low, high) : _mm256_packus_epi16(low, high);
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7); // packs work in 128-bit halves
    _mm256_storeu_si256((__m256i *)p, _mm256_permutevar8x32_epi32(bytes, order));
}

OQ_INLINE vi vi_dot(vi acc, vi a, vi b) { return _mm256_add_epi32(acc, _mm256_madd_epi16(a, b)); }
OQ_INLINE vi vi_dot_units(vi acc, vi unsigned_side, vi signed_side) {
    return vi_dot(acc, unsigned_side, signed_side);
}

#endif
