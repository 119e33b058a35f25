// Stands in for the compiler's <immintrin.h>: the AVX-512 intrinsics that kernels/simd/avx512.h uses, in
// plain C, so that blocking, packing and tails of that instruction set are tested on every machine.
#ifndef OQ_TESTS_EMULATED_IMMINTRIN_H
#define OQ_TESTS_EMULATED_IMMINTRIN_H

#include <math.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    float f[16];
} __m512;
typedef struct {
    int32_t i[16];
} __m512i;
typedef struct {
    double d[8];
} __m512d;
typedef struct {
    float f[8];
} __m256;
typedef struct {
    uint8_t b[16];
} __m128i;
typedef uint16_t __mmask16;

#define _CMP_EQ_OQ            0
#define _CMP_UNORD_Q          3
#define _CMP_LT_OQ            17
#define _MM_FROUND_TO_NEG_INF 1
#define _MM_FROUND_NO_EXC     8

#define EMULATED static inline __attribute__((unused))
#define EACH(type, field, count, expression)                                                                 \
    type r;                                                                                                  \
    for (int l = 0; l < (count); l++) r.field[l] = (expression);                                             \
    return r
#define EACH_F(expression) EACH(__m512, f, 16, expression)
#define EACH_I(expression) EACH(__m512i, i, 16, expression)
#define EACH_D(expression) EACH(__m512d, d, 8, expression)

EMULATED float emulated_float(const void *p, int l) {
    float v;
    memcpy(&v, (const char *)p + (size_t)l * sizeof v, sizeof v);
    return v;
}
EMULATED int32_t emulated_int(const void *p, int l) {
    int32_t v;
    memcpy(&v, (const char *)p + (size_t)l * sizeof v, sizeof v);
    return v;
}

EMULATED __m512 _mm512_loadu_ps(const void *p) { EACH_F(emulated_float(p, l)); }
EMULATED __m512 _mm512_maskz_loadu_ps(__mmask16 m, const void *p) {
    EACH_F(m >> l & 1 ? emulated_float(p, l) : 0.0f);
}
EMULATED void _mm512_storeu_ps(void *p, __m512 a) { memcpy(p, a.f, sizeof a.f); }
EMULATED void _mm512_mask_storeu_ps(void *p, __mmask16 m, __m512 a) {
    for (int l = 0; l < 16; l++)
        if (m >> l & 1) memcpy((char *)p + (size_t)l * 4, &a.f[l], 4);
}
EMULATED __m512 _mm512_set1_ps(float a) { EACH_F(a); }
EMULATED __m512 _mm512_add_ps(__m512 a, __m512 b) { EACH_F(a.f[l] + b.f[l]); }
EMULATED __m512 _mm512_sub_ps(__m512 a, __m512 b) { EACH_F(a.f[l] - b.f[l]); }
EMULATED __m512 _mm512_mul_ps(__m512 a, __m512 b) { EACH_F(a.f[l] * b.f[l]); }
EMULATED __m512 _mm512_div_ps(__m512 a, __m512 b) { EACH_F(a.f[l] / b.f[l]); }
EMULATED __m512 _mm512_sqrt_ps(__m512 a) { EACH_F(sqrtf(a.f[l])); }
EMULATED __m512 _mm512_fmadd_ps(__m512 a, __m512 b, __m512 c) { EACH_F(fmaf(a.f[l], b.f[l], c.f[l])); }
EMULATED __m512 _mm512_roundscale_ps(__m512 a, int mode) { EACH_F(mode == 9 ? floorf(a.f[l]) : NAN); }
EMULATED __mmask16 _mm512_cmp_ps_mask(__m512 a, __m512 b, int predicate) {
    unsigned m = 0;
    for (int l = 0; l < 16; l++) {
        const int truth = predicate == _CMP_EQ_OQ   ? a.f[l] == b.f[l]
                          : predicate == _CMP_LT_OQ ? a.f[l] < b.f[l]
                                                    : a.f[l] != a.f[l] || b.f[l] != b.f[l];
        m |= (unsigned)truth << l;
    }
    return (__mmask16)m;
}
EMULATED __m512 _mm512_mask_blend_ps(__mmask16 m, __m512 a, __m512 b) {
    EACH_F(m >> l & 1 ? b.f[l] : a.f[l]);
}
EMULATED __m512 _mm512_cvtepi32_ps(__m512i a) { EACH_F((float)a.i[l]); }
EMULATED __m512i _mm512_cvttps_epi32(__m512 a) { EACH_I((int32_t)a.f[l]); }
EMULATED __m512i _mm512_castps_si512(__m512 a) { EACH_I(emulated_int(a.f, l)); }
EMULATED __m512 _mm512_castsi512_ps(__m512i a) { EACH_F(emulated_float(a.i, l)); }

EMULATED __m512i _mm512_loadu_si512(const void *p) { EACH_I(emulated_int(p, l)); }
EMULATED __m512i _mm512_maskz_loadu_epi32(__mmask16 m, const void *p) {
    EACH_I(m >> l & 1 ? emulated_int(p, l) : 0);
}
EMULATED void _mm512_storeu_si512(void *p, __m512i a) { memcpy(p, a.i, sizeof a.i); }
EMULATED void _mm512_mask_storeu_epi32(void *p, __mmask16 m, __m512i a) {
    for (int l = 0; l < 16; l++)
        if (m >> l & 1) memcpy((char *)p + (size_t)l * 4, &a.i[l], 4);
}
EMULATED __m512i _mm512_set1_epi32(int32_t a) { EACH_I(a); }
EMULATED __m512i _mm512_add_epi32(__m512i a, __m512i b) {
    EACH_I((int32_t)((uint32_t)a.i[l] + (uint32_t)b.i[l]));
}
EMULATED __m512i _mm512_sub_epi32(__m512i a, __m512i b) {
    EACH_I((int32_t)((uint32_t)a.i[l] - (uint32_t)b.i[l]));
}
EMULATED __m512i _mm512_mullo_epi32(__m512i a, __m512i b) {
    EACH_I((int32_t)((uint32_t)a.i[l] * (uint32_t)b.i[l]));
}
EMULATED __m512i _mm512_and_si512(__m512i a, __m512i b) { EACH_I(a.i[l] & b.i[l]); }
EMULATED __m512i _mm512_or_si512(__m512i a, __m512i b) { EACH_I(a.i[l] | b.i[l]); }
EMULATED __m512i _mm512_xor_si512(__m512i a, __m512i b) { EACH_I(a.i[l] ^ b.i[l]); }
EMULATED __m512i _mm512_set1_epi8(char a) { EACH_I((int32_t)((uint32_t)(uint8_t)a * 0x01010101u)); }
EMULATED __m512i _mm512_slli_epi32(__m512i a, unsigned n) { EACH_I((int32_t)((uint32_t)a.i[l] << n)); }
EMULATED __m512i _mm512_srai_epi32(__m512i a, unsigned n) { EACH_I(a.i[l] >> n); }
EMULATED __m512i _mm512_setr_epi32(int32_t a, int32_t b, int32_t c, int32_t d, int32_t e, int32_t f,
                                   int32_t g, int32_t h, int32_t i, int32_t j, int32_t k, int32_t l,
                                   int32_t m, int32_t n, int32_t o, int32_t p) {
    const __m512i r = {{a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p}};
    return r;
}
EMULATED __m512i _mm512_permutex2var_epi32(__m512i a, __m512i places, __m512i b) {
    EACH_I(places.i[l] & 16 ? b.i[places.i[l] & 15] : a.i[places.i[l] & 15]);
}

EMULATED __m512d _mm512_setzero_pd(void) { EACH_D(0.0); }
EMULATED __m256 _mm512_castps512_ps256(__m512 a) { EACH(__m256, f, 8, a.f[l]); }
EMULATED __m256 _mm512_extractf32x8_ps(__m512 a, int half) { EACH(__m256, f, 8, a.f[l + 8 * half]); }
EMULATED __m512d _mm512_cvtps_pd(__m256 a) { EACH_D((double)a.f[l]); }
EMULATED __m512d _mm512_add_pd(__m512d a, __m512d b) { EACH_D(a.d[l] + b.d[l]); }
EMULATED __m512d _mm512_mul_pd(__m512d a, __m512d b) { EACH_D(a.d[l] * b.d[l]); }
EMULATED void _mm512_storeu_pd(void *p, __m512d a) { memcpy(p, a.d, sizeof a.d); }

EMULATED __m128i _mm_loadu_si128(const __m128i *p) {
    __m128i r;
    memcpy(&r, p, sizeof r);
    return r;
}
EMULATED void _mm_storeu_si128(__m128i *p, __m128i a) { memcpy(p, &a, sizeof a); }
EMULATED __m512i _mm512_cvtepu8_epi32(__m128i a) { EACH_I(a.b[l]); }
EMULATED __m512i _mm512_cvtepi8_epi32(__m128i a) { EACH_I((int8_t)a.b[l]); }
EMULATED __m128i _mm512_cvtepi32_epi8(__m512i a) { EACH(__m128i, b, 16, (uint8_t)a.i[l]); }

// The two instructions that avx512.h writes as assembly.
EMULATED __m512i emulated_dpwssd(__m512i acc, __m512i a, __m512i b) {
    for (int l = 0; l < 16; l++)
        for (int h = 0; h < 2; h++) {
            const int32_t product = (int16_t)(a.i[l] >> 16 * h) * (int16_t)(b.i[l] >> 16 * h);
            acc.i[l] = (int32_t)((uint32_t)acc.i[l] + (uint32_t)product);
        }
    return acc;
}
EMULATED __m512i emulated_dpbusd(__m512i acc, __m512i a, __m512i b) {
    for (int l = 0; l < 16; l++)
        for (int h = 0; h < 4; h++) {
            const int32_t product = (uint8_t)(a.i[l] >> 8 * h) * (int8_t)(b.i[l] >> 8 * h);
            acc.i[l] = (int32_t)((uint32_t)acc.i[l] + (uint32_t)product);
        }
    return acc;
}
#define OQ_DPWSSD(acc, a, b) ((acc) = emulated_dpwssd((acc), (a), (b)))
#define OQ_DPBUSD(acc, a, b) ((acc) = emulated_dpbusd((acc), (a), (b)))

#endif
