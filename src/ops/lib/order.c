// Order among elements of any type.
#include "ops/lib/order.h"

#include <string.h>

#define SIGN (UINT64_C(1) << 63)

static uint64_t key_of(double value) {
    uint64_t bits;
    if (value != value) return UINT64_MAX;
    value += 0.0; // -0 becomes 0
    memcpy(&bits, &value, sizeof bits);
    return bits & SIGN ? ~bits : bits | SIGN;
}

void oq_order_keys(oq_dtype dtype, const void *elements, uint64_t *keys, size_t count) {
    const oq_work_type work = oq_work_of(dtype);
    const size_t element = oq_dtype_bytes(dtype);
    oq_block block;
    for (size_t done = 0; done < count; done += OQ_BLOCK) {
        const size_t n = oq_min_size(OQ_BLOCK, count - done);
        oq_work_load(dtype, oq_at(elements, done, element), &block, n);
        for (size_t i = 0; i < n; ++i) {
            keys[done + i] = work == OQ_WORK_F32   ? key_of((double)block.f32[i])
                             : work == OQ_WORK_F64 ? key_of(block.f64[i])
                             : work == OQ_WORK_I64 ? block.u64[i] ^ SIGN
                                                   : block.u64[i];
        }
    }
}

static void merge(int64_t *to, const int64_t *a, size_t na, const int64_t *b, size_t nb,
                  bool (*before)(void *self, int64_t a, int64_t b), void *self) {
    while (na && nb) {
        const bool second = before(self, *b, *a); // only when strictly before: stable
        *to++ = second ? *b++ : *a++;
        if (second)
            --nb;
        else
            --na;
    }
    memcpy(to, a, na * sizeof *to);
    memcpy(to + na, b, nb * sizeof *to);
}

void oq_order_sort(int64_t *ids, int64_t *spare, size_t count,
                   bool (*before)(void *self, int64_t a, int64_t b), void *self) {
    int64_t *from = ids, *to = spare;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t i = 0; i < count; i += 2 * width) {
            const size_t middle = oq_min_size(i + width, count), end = oq_min_size(i + 2 * width, count);
            merge(to + i, from + i, middle - i, from + middle, end - middle, before, self);
        }
        int64_t *swap = from;
        from = to;
        to = swap;
    }
    if (from != ids && count) memcpy(ids, from, count * sizeof *ids);
}
