// What the tests of kernels share: the instruction sets to go through, random numbers, comparison of bits.
#ifndef OQ_TESTS_KERNELS_TABLES_H
#define OQ_TESTS_KERNELS_TABLES_H

#include "kernels/table.h"
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const oq_kernel_table oq_kernels_emulated; // AVX-512 over emulated intrinsics

// Every table that this machine can run, the plain one first; returns their number.
static inline size_t test_tables(const oq_kernel_table *tables[4]) {
    size_t count = 0;
    for (int isa = OQ_ISA_PLAIN; isa <= OQ_ISA_AVX512; isa++)
        if (oq_kernels_of((oq_isa)isa)) tables[count++] = oq_kernels_of((oq_isa)isa);
    tables[count++] = &oq_kernels_emulated;
    return count;
}

static uint64_t test_seed = 1;

static inline uint32_t test_random(void) {
    test_seed = test_seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(test_seed >> 32);
}
static inline size_t test_random_size(size_t low, size_t high) {
    return low + test_random() % (high - low + 1);
}
// In [-1, 1), 24 bits.
static inline float test_random_float(void) { return (float)(int32_t)test_random() * 0x1p-31f; }

static inline void test_random_floats(float *x, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] = test_random_float();
}
static inline void test_random_bytes(void *x, size_t n) {
    for (size_t i = 0; i < n; i++) ((uint8_t *)x)[i] = (uint8_t)test_random();
}
static inline int32_t test_byte(const void *x, size_t i, bool is_signed) {
    return is_signed ? ((const int8_t *)x)[i] : ((const uint8_t *)x)[i];
}

// A block of `bytes` with a guard on both sides, so that a store outside is noticed by test_free.
static inline void *test_block(size_t bytes) {
    uint8_t *block = malloc(bytes + 192);
    ck_assert_ptr_nonnull(block);
    memset(block, 0xa5, bytes + 192);
    memcpy(block, &bytes, sizeof bytes);
    return block + 128;
}
static inline void test_free(void *pointer) {
    uint8_t *block = (uint8_t *)pointer - 128;
    size_t bytes;
    memcpy(&bytes, block, sizeof bytes);
    for (size_t i = 0; i < 64; i++) {
        ck_assert_msg(block[64 + i] == 0xa5, "a store before the block");
        ck_assert_msg(block[128 + bytes + i] == 0xa5, "a store behind the block");
    }
    free(block);
}

#define CK_SAME_BITS(a, b, bytes, ...) ck_assert_msg(memcmp((a), (b), (bytes)) == 0, __VA_ARGS__)

#endif
