// The heart of every product: a block of C = A * B in 4-byte units over packed strips of A and panels of B.
// Shared by matrix products and convolutions of all types; one copy per instruction set.
#ifndef OQ_KERNELS_BLOCK_H
#define OQ_KERNELS_BLOCK_H

#include "kernels/gemm.h"
#include "kernels/simd/simd.h"

#define OQ_NR (OQ_NV * OQ_W)          // columns of a panel
#define OQ_MC (OQ_MR == 14 ? 56 : 48) // rows of a block of A: whole strips
#define OQ_KC 256                     // groups of a block: a panel of it fills half of the first-level cache

#define OQ_A_ROW (OQ_KC + 16) // units from row to row of a block of A that is packed by rows

// Which numbers the units hold, and how A lies: by rows (packed per call: a copy, or a widening), or in
// strips of OQ_MR rows side by side (packed once: filters). With 8 bits, the unsigned side of the dot product
// is A by rows, and B when A lies in strips.
typedef enum oq_kind { OQ_KIND_F32_ROWS, OQ_KIND_F32_STRIPS, OQ_KIND_8_ROWS, OQ_KIND_8_STRIPS } oq_kind;

OQ_INLINE bool oq_kind_is_f32(oq_kind kind) { return kind <= OQ_KIND_F32_STRIPS; }
OQ_INLINE bool oq_kind_by_rows(oq_kind kind) { return kind == OQ_KIND_F32_ROWS || kind == OQ_KIND_8_ROWS; }

// Done to finished sums of float32 products.
typedef struct oq_finish_f32 {
    const float *row_bias, *column_bias; // of this block, or NULL
    bool clamp;
    float low, high;
} oq_finish_f32;

// Done to finished sums of 8-bit products: c[i,j] += row_term[i] + column_term[j] + cross of the two zero
// points.
typedef struct oq_finish_8 {
    const int32_t *row_term, *column_term;         // of this block, or NULL
    const int32_t *cross_row[2], *cross_column[2]; // products row[i] * column[j] to add, or NULL
    const oq_requantize *requantize;               // or NULL; its bias is part of the terms
    const float *row_multiplier,
        *column_multiplier; // of this block; at most one of them; or NULL: multiplier[0]
    uint8_t *out;           // of this block, row stride ldc
} oq_finish_8;

typedef struct oq_block {
    oq_kind kind;
    size_t rows, columns, groups;
    const int32_t *a; // strips of OQ_MR rows: [groups][OQ_MR] units, or [OQ_MR][OQ_A_ROW] by rows
    size_t a_strip;   // units between strips
    const int32_t *b; // panels of OQ_NR columns: [groups][OQ_NR] units
    size_t b_panel;   // units between panels
    int32_t *c;       // float or int32
    size_t ldc;
    bool first, last; // of the blocks along k: start from zero, finish
    oq_finish_f32 finish_f32;
    oq_finish_8 finish_8;
} oq_block;

void OQ_FN(block)(const oq_block *b);

// --- packing ---
OQ_INLINE int32_t oq_number_8(uint8_t byte, bool is_signed) { return is_signed ? (int8_t)byte : byte; }

// Numbers to units, `count` <= OQ_UNIT_8 of them `stride` bytes apart, the rest zero.
OQ_INLINE int32_t oq_unit_8(const uint8_t *p, size_t stride, size_t count, bool is_signed, uint8_t flip) {
    uint32_t unit = 0;
    for (size_t t = 0; t < count; t++) {
        const uint8_t byte = p[t * stride];
        const uint32_t number = OQ_UNIT_8 == 4 ? (uint32_t)(uint8_t)(byte ^ flip)
                                               : (uint32_t)(uint16_t)oq_number_8(byte, is_signed);
        unit |= number << (t * (32 / OQ_UNIT_8));
    }
    return (int32_t)unit;
}
// The units of OQ_W columns from `count` <= OQ_UNIT_8 lines of numbers, from place j on.
OQ_INLINE vi oq_interleave_8(const uint8_t *const lines[OQ_UNIT_8], size_t j, size_t count, bool is_signed,
                             uint8_t flip) {
    const int bits = 32 / OQ_UNIT_8;
    const vi mask = vi_set1((1 << bits) - 1);
    vi unit = vi_set1(0);
    for (size_t t = 0; t < count; t++) {
        vi number = is_signed ? vi_load_i8(lines[t] + j) : vi_load_u8(lines[t] + j);
        if (flip) number = vi_add(number, vi_set1(flip));
        unit = vi_or(unit, vi_shl(vi_and(number, mask), (int)t * bits));
    }
    return unit;
}
// What the sides of a dot product add to their numbers to make them u8 and s8; zero where units are int16.
#define OQ_SHIFT_UNSIGNED(is_signed) (OQ_UNIT_8 == 4 && (is_signed) ? 128 : 0)
#define OQ_SHIFT_SIGNED(is_signed)   (OQ_UNIT_8 == 4 && !(is_signed) ? -128 : 0)
#define OQ_FLIP(shift)               ((uint8_t)((shift) ? 0x80 : 0))

OQ_INLINE size_t oq_round_up(size_t n, size_t step) { return (n + step - 1) / step * step; }
OQ_INLINE size_t oq_least(size_t a, size_t b) { return a < b ? a : b; }

#endif
