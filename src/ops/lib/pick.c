// Single elements and equal runs picked from, or put to, given offsets.
#include "ops/lib/pick.h"

#include <string.h>

typedef struct wide {
    uint64_t half[2];
} wide; // complex128

#define PICKERS(TYPE)                                                                                        \
    static void pick_##TYPE(TYPE *to, const TYPE *from, const int64_t *offsets, size_t count) {              \
        for (size_t k = 0; k < count; ++k) to[k] = from[offsets[k]];                                         \
    }                                                                                                        \
    static void put_##TYPE(TYPE *to, const TYPE *from, const int64_t *offsets, size_t count) {               \
        for (size_t k = 0; k < count; ++k) to[offsets[k]] = from[k];                                         \
    }

PICKERS(uint8_t)
PICKERS(uint16_t)
PICKERS(uint32_t)
PICKERS(uint64_t)
PICKERS(wide)

void oq_pick(void *to, const void *from, const int64_t *offsets, size_t count, size_t element) {
    switch (element) {
    case 1: pick_uint8_t(to, from, offsets, count); return;
    case 2: pick_uint16_t(to, from, offsets, count); return;
    case 4: pick_uint32_t(to, from, offsets, count); return;
    case 8: pick_uint64_t(to, from, offsets, count); return;
    default: pick_wide(to, from, offsets, count); return;
    }
}

void oq_put(void *to, const void *from, const int64_t *offsets, size_t count, size_t element) {
    switch (element) {
    case 1: put_uint8_t(to, from, offsets, count); return;
    case 2: put_uint16_t(to, from, offsets, count); return;
    case 4: put_uint32_t(to, from, offsets, count); return;
    case 8: put_uint64_t(to, from, offsets, count); return;
    default: put_wide(to, from, offsets, count); return;
    }
}

void oq_pick_runs(void *to, const void *from, const int64_t *offsets, size_t count, size_t run,
                  size_t element) {
    if (run == 1) {
        oq_pick(to, from, offsets, count, element);
        return;
    }
    const size_t bytes = run * element;
    for (size_t k = 0; bytes && k < count; ++k)
        memcpy((char *)to + k * bytes, (const char *)from + (size_t)offsets[k] * element, bytes);
}

void oq_put_runs(void *to, const void *from, const int64_t *offsets, size_t count, size_t run,
                 size_t element) {
    if (run == 1) {
        oq_put(to, from, offsets, count, element);
        return;
    }
    const size_t bytes = run * element;
    for (size_t k = 0; bytes && k < count; ++k)
        memcpy((char *)to + (size_t)offsets[k] * element, (const char *)from + k * bytes, bytes);
}
