// Accounted memory: every allocation of the library goes through one oq_mem with a byte budget and a fault
// hook.
#ifndef OQ_BASE_MEM_H
#define OQ_BASE_MEM_H

#include "base/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OQ_ALIGNMENT 64 // of every block: one cache line, one AVX-512 register

// One accounting domain (a session). Thread-safe. Zero-initialised means no budget and no faults.
typedef struct oq_mem {
    atomic_size_t used;      // bytes handed out and not given back
    atomic_size_t peak;      // largest `used` so far
    size_t budget;           // bytes; 0 = unlimited
    atomic_llong fail_after; // tests: the n-th allocation from now on fails (and all later ones); 0 = never
} oq_mem;

// A block of `bytes` aligned to OQ_ALIGNMENT, or NULL with a clear error (budget, fault hook, system). 0
// bytes give a valid unique block. The blocks stay accounted in `mem` until oq_mem_free.
void *oq_mem_alloc(oq_mem *mem, size_t bytes, oq_error *err);
// The same, zeroed, for `count` elements of `size` bytes; a product that overflows size_t is an error.
void *oq_mem_calloc(oq_mem *mem, size_t count, size_t size, oq_error *err);
// Grows or shrinks; the old block stays valid when NULL is returned. NULL block: as oq_mem_alloc.
void *oq_mem_realloc(oq_mem *mem, void *block, size_t bytes, oq_error *err);
void oq_mem_free(oq_mem *mem, void *block); // NULL is allowed
// Gives what was freed back to the system, where that would keep it for us: between steps of work that hold
// much memory for different ends.
void oq_mem_trim(void);

// *out = a * b, or a + b; false when it does not fit.
static inline bool oq_mul_size(size_t a, size_t b, size_t *out) { return !__builtin_mul_overflow(a, b, out); }
static inline bool oq_add_size(size_t a, size_t b, size_t *out) { return !__builtin_add_overflow(a, b, out); }
static inline bool oq_mul_i64(int64_t a, int64_t b, int64_t *out) {
    return !__builtin_mul_overflow(a, b, out);
}
static inline bool oq_add_i64(int64_t a, int64_t b, int64_t *out) {
    return !__builtin_add_overflow(a, b, out);
}

// Makes room for one more element in a growable array of `*capacity` elements of `size` bytes holding
// `count`.
oq_status oq_mem_reserve(oq_mem *mem, void **block, size_t count, size_t *capacity, size_t size,
                         oq_error *err);

#endif
