// Accounted memory: aligned blocks with a hidden header, byte budget, fault hook.
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

// Stands in the alignment gap before every block.
typedef struct block_header {
    size_t bytes;     // asked for by the caller
    size_t accounted; // of the whole allocation, header included
} block_header;

_Static_assert(sizeof(block_header) <= OQ_ALIGNMENT, "the header fits the alignment gap");

// Larger blocks are a mistake or malice; the system might promise them all the same and kill us later.
#define LARGEST_BLOCK ((size_t)1 << 39)

static block_header *header_of(void *block) {
    return (block_header *)(void *)((unsigned char *)block - OQ_ALIGNMENT);
}

// Counts down the fault hook; true when this allocation has to fail. Stays at 1, so that all later ones fail
// too.
static bool fault_due(oq_mem *mem) {
    long long left = atomic_load(&mem->fail_after);
    while (left > 1) {
        if (atomic_compare_exchange_weak(&mem->fail_after, &left, left - 1)) return false;
    }
    return left == 1;
}

// Books `bytes` unless the budget forbids it.
static bool book(oq_mem *mem, size_t bytes) {
    size_t used = atomic_load(&mem->used);
    size_t now = 0;
    do {
        if (!oq_add_size(used, bytes, &now)) return false;
        if (mem->budget && now > mem->budget) return false;
    } while (!atomic_compare_exchange_weak(&mem->used, &used, now));
    size_t peak = atomic_load(&mem->peak);
    while (now > peak && !atomic_compare_exchange_weak(&mem->peak, &peak, now)) {
    }
    return true;
}

void *oq_mem_alloc(oq_mem *mem, size_t bytes, oq_error *err) {
    if (bytes > LARGEST_BLOCK) {
        oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory: a block of %zu bytes was asked for", bytes);
        return NULL;
    }
    // One alignment unit for the header, the block rounded up so that vector loads may overrun to there.
    const size_t rounded = (bytes + OQ_ALIGNMENT - 1) / OQ_ALIGNMENT * OQ_ALIGNMENT;
    const size_t total = rounded + OQ_ALIGNMENT;
    if (fault_due(mem)) {
        oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory for %zu more bytes", bytes);
        return NULL;
    }
    if (!book(mem, total)) {
        oq_fail(err, ONNXQ_NO_MEMORY,
                "not enough memory: %zu more bytes would exceed the budget of %zu, of which %zu are in use; "
                "raise the budget",
                bytes, mem->budget, atomic_load(&mem->used));
        return NULL;
    }
    unsigned char *raw = aligned_alloc(OQ_ALIGNMENT, total);
    if (!raw) {
        atomic_fetch_sub(&mem->used, total);
        oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory: the system refuses %zu more bytes", bytes);
        return NULL;
    }
    void *block = raw + OQ_ALIGNMENT;
    *header_of(block) = (block_header){.bytes = bytes, .accounted = total};
    return block;
}

void *oq_mem_calloc(oq_mem *mem, size_t count, size_t size, oq_error *err) {
    size_t bytes = 0;
    if (!oq_mul_size(count, size, &bytes)) {
        oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory: %zu elements of %zu bytes were asked for", count,
                size);
        return NULL;
    }
    void *block = oq_mem_alloc(mem, bytes, err);
    if (block) memset(block, 0, bytes);
    return block;
}

void *oq_mem_realloc(oq_mem *mem, void *block, size_t bytes, oq_error *err) {
    void *grown = oq_mem_alloc(mem, bytes, err);
    if (!grown || !block) return grown;
    const size_t old = header_of(block)->bytes;
    memcpy(grown, block, old < bytes ? old : bytes);
    oq_mem_free(mem, block);
    return grown;
}

void oq_mem_free(oq_mem *mem, void *block) {
    if (!block) return;
    block_header *header = header_of(block);
    atomic_fetch_sub(&mem->used, header->accounted);
    free(header);
}

void oq_mem_trim(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

oq_status oq_mem_reserve(oq_mem *mem, void **block, size_t count, size_t *capacity, size_t size,
                         oq_error *err) {
    if (count < *capacity) return ONNXQ_OK;
    size_t wanted = 0;
    size_t bytes = 0;
    if (!oq_mul_size(count ? count : 4, 2, &wanted) || !oq_mul_size(wanted, size, &bytes))
        return oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory: a list of %zu elements cannot grow", count);
    void *grown = oq_mem_realloc(mem, *block, bytes, err);
    if (!grown) return ONNXQ_NO_MEMORY;
    *block = grown;
    *capacity = wanted;
    return ONNXQ_OK;
}
