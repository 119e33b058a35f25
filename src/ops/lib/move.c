// Moving elements without looking at them, by element size.
#include "ops/lib/move.h"

#include "kernels/transpose.h"

#include <string.h>

typedef struct wide {
    uint64_t half[2];
} wide; // complex128

// A line is to[i * ts] = from[i * fs]; a rest is to[p * tp + q] = from[p + q * fq] for p0 <= p < P, q0 <= q <
// Q.
#define MOVERS(TYPE)                                                                                         \
    static void line_##TYPE(TYPE *to, int64_t ts, const TYPE *from, int64_t fs, int64_t n) {                 \
        for (int64_t i = 0; i < n; ++i) to[i * ts] = from[i * fs];                                           \
    }                                                                                                        \
    static void rest_##TYPE(TYPE *to, int64_t tp, const TYPE *from, int64_t fq, int64_t p0, int64_t P,       \
                            int64_t q0, int64_t Q) {                                                         \
        for (int64_t p = p0; p < P; ++p)                                                                     \
            for (int64_t q = q0; q < Q; ++q) to[p * tp + q] = from[p + q * fq];                              \
    }

MOVERS(uint8_t)
MOVERS(uint16_t)
MOVERS(uint32_t)
MOVERS(uint64_t)
MOVERS(wide)

// A tile is a rest with p0 = q0 = 0, walked in blocks of BLOCK lines, so that source and target lines both
// stay in the first-level cache; where a kernel exists, in squares of SIDE within them.
#define BLOCK 16
#define TILE(TYPE, SIDE, SQUARE)                                                                             \
    static void tile_##TYPE(TYPE *to, int64_t tp, const TYPE *from, int64_t fq, int64_t P, int64_t Q) {      \
        for (int64_t p0 = 0; p0 < P; p0 += BLOCK) {                                                          \
            const int64_t p1 = p0 + BLOCK < P ? p0 + BLOCK : P, whole = p1 - (p1 - p0) % (SIDE);             \
            int64_t q = 0;                                                                                   \
            for (; q + (SIDE) <= Q; q += (SIDE)) {                                                           \
                for (int64_t p = p0; p < whole; p += (SIDE))                                                 \
                    SQUARE(to + p * tp + q, tp, from + p + q * fq, fq);                                      \
                rest_##TYPE(to, tp, from, fq, whole, p1, q, q + (SIDE));                                     \
            }                                                                                                \
            rest_##TYPE(to, tp, from, fq, p0, p1, q, Q);                                                     \
        }                                                                                                    \
    }
#define SQUARE_4(TYPE)                                                                                       \
    static void square_##TYPE(TYPE *to, int64_t tp, const TYPE *from, int64_t fq) {                          \
        rest_##TYPE(to, tp, from, fq, 0, 4, 0, 4);                                                           \
    }
SQUARE_4(uint64_t)
SQUARE_4(wide)
TILE(uint8_t, 8, oq_transpose_8x8_u8)
TILE(uint16_t, 8, oq_transpose_8x8_u16)
TILE(uint32_t, 4, oq_transpose_4x4_u32)
TILE(uint64_t, 4, square_uint64_t)
TILE(wide, 4, square_wide)

static void move_line(void *to, int64_t ts, const void *from, int64_t fs, size_t element, int64_t n) {
    if (ts == 1 && fs == 1) {
        memcpy(to, from, (size_t)n * element);
        return;
    }
    switch (element) {
    case 1: line_uint8_t(to, ts, from, fs, n); return;
    case 2: line_uint16_t(to, ts, from, fs, n); return;
    case 4: line_uint32_t(to, ts, from, fs, n); return;
    case 8: line_uint64_t(to, ts, from, fs, n); return;
    default: line_wide(to, ts, from, fs, n); return;
    }
}

static void move_tile(void *to, int64_t tp, const void *from, int64_t fq, size_t element, int64_t P,
                      int64_t Q) {
    switch (element) {
    case 1: tile_uint8_t(to, tp, from, fq, P, Q); return;
    case 2: tile_uint16_t(to, tp, from, fq, P, Q); return;
    case 4: tile_uint32_t(to, tp, from, fq, P, Q); return;
    case 8: tile_uint64_t(to, tp, from, fq, P, Q); return;
    default: tile_wide(to, tp, from, fq, P, Q); return;
    }
}

void oq_move_fill(void *to, size_t element, size_t count, const void *value) {
    if (!count) return;
    unsigned char *bytes = to;
    memcpy(bytes, value, element);
    // Doubling copies: each pass copies all that is there.
    for (size_t have = 1; have < count;) {
        const size_t more = have < count - have ? have : count - have;
        memcpy(bytes + have * element, bytes, more * element);
        have += more;
    }
}

typedef struct plan {
    int rank;
    int64_t size[OQ_MAX_RANK], to[OQ_MAX_RANK], from[OQ_MAX_RANK];
} plan;

// Sizes of 1 dropped, neighbours that are contiguous on both sides joined; false when there is nothing to
// move.
static bool make_plan(plan *p, const int64_t *to, const int64_t *from, int rank, const int64_t *sizes) {
    p->rank = 0;
    for (int d = 0; d < rank; ++d) {
        if (sizes[d] <= 0) return false;
        if (sizes[d] == 1) continue;
        const int last = p->rank - 1;
        if (last >= 0 && p->to[last] == to[d] * sizes[d] && p->from[last] == from[d] * sizes[d]) {
            p->size[last] *= sizes[d];
            p->to[last] = to[d];
            p->from[last] = from[d];
            continue;
        }
        p->size[p->rank] = sizes[d];
        p->to[p->rank] = to[d];
        p->from[p->rank++] = from[d];
    }
    if (p->rank == 0) {
        p->size[0] = p->to[0] = p->from[0] = 1;
        p->rank = 1;
    }
    return true;
}

// The axis along which the source is contiguous while the target's contiguous axis is the last: a tile of the
// two; -1 when lines do as well.
static int tile_axis(const plan *p) {
    const int last = p->rank - 1;
    if (p->to[last] != 1 || p->from[last] == 1 || p->from[last] == 0) return -1;
    for (int d = last - 1; d >= 0; --d)
        if (p->from[d] == 1 && p->size[d] >= 4) return d;
    return -1;
}

// Puts axis `d` behind all others but the last.
static void second_to_last(plan *p, int d) {
    for (; d < p->rank - 2; ++d) {
        const int64_t size = p->size[d], to = p->to[d], from = p->from[d];
        p->size[d] = p->size[d + 1], p->to[d] = p->to[d + 1], p->from[d] = p->from[d + 1];
        p->size[d + 1] = size, p->to[d + 1] = to, p->from[d + 1] = from;
    }
}

void oq_move(void *to, const int64_t *to_strides, const void *from, const int64_t *from_strides,
             size_t element, int rank, const int64_t *sizes) {
    plan p;
    if (!make_plan(&p, to_strides, from_strides, rank, sizes)) return;
    const int tile = tile_axis(&p);
    if (tile >= 0) second_to_last(&p, tile);
    const int outer = p.rank - (tile >= 0 ? 2 : 1), last = p.rank - 1;
    int64_t index[OQ_MAX_RANK] = {0}, at = 0, source = 0;
    for (;;) {
        unsigned char *target = (unsigned char *)to + at * (int64_t)element;
        const unsigned char *origin = (const unsigned char *)from + source * (int64_t)element;
        if (tile >= 0)
            move_tile(target, p.to[last - 1], origin, p.from[last], element, p.size[last - 1], p.size[last]);
        else
            move_line(target, p.to[last], origin, p.from[last], element, p.size[last]);
        int d = outer - 1;
        for (; d >= 0; --d) {
            at += p.to[d], source += p.from[d];
            if (++index[d] < p.size[d]) break;
            at -= p.to[d] * p.size[d], source -= p.from[d] * p.size[d];
            index[d] = 0;
        }
        if (d < 0) return;
    }
}

void oq_move_dense(void *to, const void *from, const int64_t *from_strides, size_t element, int rank,
                   const int64_t *sizes) {
    int64_t strides[OQ_MAX_RANK], stride = 1;
    for (int d = rank - 1; d >= 0; --d) {
        strides[d] = stride;
        stride *= sizes[d];
    }
    oq_move(to, strides, from, from_strides, element, rank, sizes);
}
