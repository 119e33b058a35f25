// Transposing small matrices in registers: pairs of lines interleaved until every line is a column.
//
// Vector extensions of GCC and clang, whose shuffles exist on every machine: moving bits needs no instruction
// set of its own.
#include "kernels/transpose.h"

#include <string.h>

typedef uint32_t u32x4 __attribute__((vector_size(16)));
typedef uint16_t u16x8 __attribute__((vector_size(16)));
typedef uint8_t u8x16 __attribute__((vector_size(16)));

void oq_transpose_4x4_u32(uint32_t *to, int64_t to_stride, const uint32_t *from, int64_t from_stride) {
    u32x4 q[4], low[2], high[2];
    for (int i = 0; i < 4; ++i) memcpy(&q[i], from + i * from_stride, sizeof q[i]);
    for (int i = 0; i < 2; ++i) {
        low[i] = __builtin_shufflevector(q[2 * i], q[2 * i + 1], 0, 4, 1, 5);
        high[i] = __builtin_shufflevector(q[2 * i], q[2 * i + 1], 2, 6, 3, 7);
    }
    const u32x4 p[4] = {__builtin_shufflevector(low[0], low[1], 0, 1, 4, 5),
                        __builtin_shufflevector(low[0], low[1], 2, 3, 6, 7),
                        __builtin_shufflevector(high[0], high[1], 0, 1, 4, 5),
                        __builtin_shufflevector(high[0], high[1], 2, 3, 6, 7)};
    for (int i = 0; i < 4; ++i) memcpy(to + i * to_stride, &p[i], sizeof p[i]);
}

void oq_transpose_8x8_u16(uint16_t *to, int64_t to_stride, const uint16_t *from, int64_t from_stride) {
    u16x8 a[8], b[8];
    for (int i = 0; i < 8; ++i) memcpy(&a[i], from + i * from_stride, sizeof a[i]);
    // Interleaving line i with line i + 4, three times, is the transposition.
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 4; ++i) {
            b[2 * i] = __builtin_shufflevector(a[i], a[i + 4], 0, 8, 1, 9, 2, 10, 3, 11);
            b[2 * i + 1] = __builtin_shufflevector(a[i], a[i + 4], 4, 12, 5, 13, 6, 14, 7, 15);
        }
        memcpy(a, b, sizeof a);
    }
    for (int i = 0; i < 8; ++i) memcpy(to + i * to_stride, &a[i], sizeof a[i]);
}

void oq_transpose_8x8_u8(uint8_t *to, int64_t to_stride, const uint8_t *from, int64_t from_stride) {
    // Lines have 8 bytes, so that a register holds two: a[i] = lines 2i and 2i + 1 after each round.
    u8x16 line[8] = {{0}}, a[4], b[4];
#define LOW(x, y)  __builtin_shufflevector(x, y, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH(x, y) __builtin_shufflevector(x, y, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
    for (int i = 0; i < 8; ++i) memcpy(&line[i], from + i * from_stride, 8);
    for (int i = 0; i < 4; ++i) a[i] = LOW(line[i], line[i + 4]);
    for (int round = 0; round < 2; ++round) {
        for (int i = 0; i < 2; ++i) {
            b[2 * i] = LOW(a[i], a[i + 2]);
            b[2 * i + 1] = HIGH(a[i], a[i + 2]);
        }
        memcpy(a, b, sizeof a);
    }
    for (int i = 0; i < 8; ++i) memcpy(to + i * to_stride, (const uint8_t *)&a[i / 2] + i % 2 * 8, 8);
}
