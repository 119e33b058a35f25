// Plain C: eight lanes in an array, the same arithmetic as the vector units (fmaf is one rounding).
#ifndef OQ_KERNELS_SIMD_PLAIN_H
#define OQ_KERNELS_SIMD_PLAIN_H

#define OQ_W      8
#define OQ_UNIT_8 2 // 8-bit numbers per unit, widened to int16
#define OQ_MR     4 // rows and vectors of a register tile
#define OQ_NV     2

typedef struct vf {
    float v[OQ_W];
} vf;
typedef struct vi {
    int32_t v[OQ_W];
} vi;
typedef struct vm {
    bool v[OQ_W];
} vm;
typedef struct vd {
    double v[OQ_W / 2];
} vd;

#define OQ_LANES(type, expression)                                                                           \
    type r;                                                                                                  \
    for (int l = 0; l < (int)(sizeof r.v / sizeof r.v[0]); l++) r.v[l] = (expression);                       \
    return r

OQ_INLINE vf vf_load(const float *p) {
    vf r;
    memcpy(&r, p, sizeof r);
    return r;
}
OQ_INLINE vf vf_load_n(const float *p, size_t n) { OQ_LANES(vf, (size_t)l < n ? p[l] : 0.0f); }
OQ_INLINE void vf_store(float *p, vf a) { memcpy(p, a.v, sizeof a.v); }
OQ_INLINE void vf_store_n(float *p, vf a, size_t n) { memcpy(p, a.v, n * sizeof(float)); }
OQ_INLINE vf vf_set1(float a) { OQ_LANES(vf, a); }
OQ_INLINE vf vf_add(vf a, vf b) { OQ_LANES(vf, a.v[l] + b.v[l]); }
OQ_INLINE vf vf_sub(vf a, vf b) { OQ_LANES(vf, a.v[l] - b.v[l]); }
OQ_INLINE vf vf_mul(vf a, vf b) { OQ_LANES(vf, a.v[l] * b.v[l]); }
OQ_INLINE vf vf_div(vf a, vf b) { OQ_LANES(vf, a.v[l] / b.v[l]); }
OQ_INLINE vf vf_sqrt(vf a) { OQ_LANES(vf, sqrtf(a.v[l])); }
OQ_INLINE vf vf_fma(vf a, vf b, vf c) { OQ_LANES(vf, fmaf(a.v[l], b.v[l], c.v[l])); }
OQ_INLINE vf vf_floor(vf a) { OQ_LANES(vf, floorf(a.v[l])); }
OQ_INLINE vm vf_lt(vf a, vf b) { OQ_LANES(vm, a.v[l] < b.v[l]); }
OQ_INLINE vm vf_eq(vf a, vf b) { OQ_LANES(vm, a.v[l] == b.v[l]); }
OQ_INLINE vm vf_nan(vf a) { OQ_LANES(vm, a.v[l] != a.v[l]); }
OQ_INLINE vf vf_select(vm m, vf yes, vf no) { OQ_LANES(vf, m.v[l] ? yes.v[l] : no.v[l]); }
OQ_INLINE vf vf_convert(vi a) { OQ_LANES(vf, (float)a.v[l]); }
OQ_INLINE vi vi_truncate(vf a) { OQ_LANES(vi, (int32_t)a.v[l]); } // |a| < 2^31
OQ_INLINE vi vf_bits(vf a) {
    vi r;
    memcpy(&r, &a, sizeof r);
    return r;
}
OQ_INLINE vf vf_from_bits(vi a) {
    vf r;
    memcpy(&r, &a, sizeof r);
    return r;
}

OQ_INLINE vi vi_load(const void *p) {
    vi r;
    memcpy(&r, p, sizeof r);
    return r;
}
OQ_INLINE vi vi_load_n(const int32_t *p, size_t n) { OQ_LANES(vi, (size_t)l < n ? p[l] : 0); }
OQ_INLINE void vi_store(void *p, vi a) { memcpy(p, a.v, sizeof a.v); }
OQ_INLINE void vi_store_n(int32_t *p, vi a, size_t n) { memcpy(p, a.v, n * sizeof(int32_t)); }
OQ_INLINE vi vi_set1(int32_t a) { OQ_LANES(vi, a); }
// Sums, differences and products wrap, as the vector units do.
OQ_INLINE vi vi_add(vi a, vi b) { OQ_LANES(vi, (int32_t)((uint32_t)a.v[l] + (uint32_t)b.v[l])); }
OQ_INLINE vi vi_sub(vi a, vi b) { OQ_LANES(vi, (int32_t)((uint32_t)a.v[l] - (uint32_t)b.v[l])); }
OQ_INLINE vi vi_mul(vi a, vi b) { OQ_LANES(vi, (int32_t)((uint32_t)a.v[l] * (uint32_t)b.v[l])); }
OQ_INLINE vi vi_and(vi a, vi b) { OQ_LANES(vi, a.v[l] & b.v[l]); }
OQ_INLINE vi vi_or(vi a, vi b) { OQ_LANES(vi, a.v[l] | b.v[l]); }
OQ_INLINE vi vi_shl(vi a, int n) { OQ_LANES(vi, (int32_t)((uint32_t)a.v[l] << n)); }
OQ_INLINE vi vi_sra(vi a, int n) { OQ_LANES(vi, a.v[l] >> n); }
// Of the 2 * OQ_W numbers a, b: those at even places, those at odd ones.
OQ_INLINE vi vi_evens(vi a, vi b) { OQ_LANES(vi, l < OQ_W / 2 ? a.v[2 * l] : b.v[2 * l - OQ_W]); }
OQ_INLINE vi vi_odds(vi a, vi b) { OQ_LANES(vi, l < OQ_W / 2 ? a.v[2 * l + 1] : b.v[2 * l + 1 - OQ_W]); }

OQ_INLINE vm vm_and(vm a, vm b) { OQ_LANES(vm, a.v[l] && b.v[l]); }
OQ_INLINE vm vm_or(vm a, vm b) { OQ_LANES(vm, a.v[l] || b.v[l]); }
OQ_INLINE vm vm_first(size_t n) { OQ_LANES(vm, (size_t)l < n); } // the first n lanes
OQ_INLINE unsigned vm_count(vm a) {
    unsigned n = 0;
    for (int l = 0; l < OQ_W; l++) n += a.v[l];
    return n;
}

OQ_INLINE vd vd_zero(void) { OQ_LANES(vd, 0.0); }
OQ_INLINE vd vd_low(vf a) { OQ_LANES(vd, (double)a.v[l]); }
OQ_INLINE vd vd_high(vf a) { OQ_LANES(vd, (double)a.v[l + OQ_W / 2]); }
OQ_INLINE vd vd_add(vd a, vd b) { OQ_LANES(vd, a.v[l] + b.v[l]); }
OQ_INLINE vd vd_mul(vd a, vd b) { OQ_LANES(vd, a.v[l] * b.v[l]); }
OQ_INLINE void vd_store(double *p, vd a) { memcpy(p, a.v, sizeof a.v); }

// Bytes: OQ_W of them, and four vectors with values that fit a byte as 4 * OQ_W bytes (low 8 bits).
OQ_INLINE vi vi_load_u8(const void *p) { OQ_LANES(vi, ((const uint8_t *)p)[l]); }
OQ_INLINE vi vi_load_i8(const void *p) { OQ_LANES(vi, ((const int8_t *)p)[l]); }
// OQ_W units from OQ_W * OQ_UNIT_8 numbers in a row; `flip` is for units of bytes.
OQ_INLINE vi vi_load_units(const uint8_t *p, bool is_signed, uint8_t flip) {
    (void)flip;
    OQ_LANES(vi, is_signed ? (int32_t)((uint32_t)(int8_t)p[2 * l + 1] << 16 | (uint16_t)(int8_t)p[2 * l])
                           : p[2 * l + 1] << 16 | p[2 * l]);
}
OQ_INLINE void vi_store_8(void *p, vi a) {
    for (int l = 0; l < OQ_W; l++) ((uint8_t *)p)[l] = (uint8_t)a.v[l];
}
OQ_INLINE void vi_store_8x4(void *p, const vi a[4], bool is_signed) {
    (void)is_signed;
    for (int i = 0; i < 4; i++) vi_store_8((uint8_t *)p + i * OQ_W, a[i]);
}

// acc + sum of the products of the int16 pairs in a and b.
OQ_INLINE vi vi_dot(vi acc, vi a, vi b) {
    vi r;
    for (int l = 0; l < OQ_W; l++) {
        const int32_t low = (int16_t)a.v[l] * (int16_t)b.v[l];
        const int32_t high = (int16_t)(a.v[l] >> 16) * (int16_t)(b.v[l] >> 16);
        r.v[l] = (int32_t)((uint32_t)acc.v[l] + (uint32_t)low + (uint32_t)high);
    }
    return r;
}
// The same for the dot product of register tiles: both sides' units hold pairs of int16 here.
OQ_INLINE vi vi_dot_units(vi acc, vi unsigned_side, vi signed_side) {
    return vi_dot(acc, unsigned_side, signed_side);
}

#endif
