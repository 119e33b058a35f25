// The distinct values of a channel while they are few, and whether they are equally spaced.
#include "stats/levels.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { SLOTS = 1024, HASH_BITS = 10 };
#define EMPTY 0xffffffffu // a NaN: never a level

// Values of one call, before they are sorted in.
typedef struct bag {
    uint32_t slot[SLOTS];
    float value[OQ_LEVELS_MOST + 1];
    size_t count;
} bag;

static void overflow(oq_levels *l) { *l = (oq_levels){.count = OQ_LEVELS_MOST + 1}; }

// False when the bag is full.
static bool put(bag *b, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    size_t at = bits * 2654435769u >> (32 - HASH_BITS);
    while (b->slot[at] != EMPTY) {
        if (b->slot[at] == bits) return true;
        at = (at + 1) % SLOTS;
    }
    if (b->count == OQ_LEVELS_MOST) return false;
    b->slot[at] = bits;
    b->value[b->count++] = value;
    return true;
}

static void insert(oq_levels *l, float value) {
    size_t at = l->count;
    while (at > 0 && l->value[at - 1] > value) at--;
    if (at > 0 && l->value[at - 1] == value) return;
    if (l->count == OQ_LEVELS_MOST) {
        overflow(l);
        return;
    }
    memmove(&l->value[at + 1], &l->value[at], (l->count - at) * sizeof *l->value);
    l->value[at] = value;
    l->count++;
}

void oq_levels_add(oq_levels *l, const float *x, size_t n) {
    bag b;
    if (l->count > OQ_LEVELS_MOST) return;
    b.count = 0;
    memset(b.slot, 0xff, sizeof b.slot);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]) || !put(&b, x[i] + 0.0f)) { // 0 for -0
            overflow(l);
            return;
        }
    for (size_t i = 0; i < b.count && l->count <= OQ_LEVELS_MOST; i++) insert(l, b.value[i]);
}

void oq_levels_merge(oq_levels *into, const oq_levels *other) {
    if (other->count > OQ_LEVELS_MOST) overflow(into);
    for (size_t i = 0; i < other->count && into->count <= OQ_LEVELS_MOST; i++) insert(into, other->value[i]);
}

bool oq_levels_are_sound(const oq_levels *l) {
    if (l->count > OQ_LEVELS_MOST) return l->count == OQ_LEVELS_MOST + 1;
    for (size_t i = 0; i < l->count; i++)
        if (!isfinite(l->value[i]) || (i > 0 && !(l->value[i - 1] < l->value[i]))) return false;
    return true;
}

// --- equal spacing ---

// Fewer levels could lie on a lattice by chance, and would not tell the finest one.
#define LEAST_LEVELS 32
// What a level may be off, as a share of the step: float32 rounding leaves 1e-5, float16 up to .06.
#define TOLERANCE .0625
// The nearest two levels seen may be as many steps apart.
enum { MOST_APART = 4 };

// Counts steps from level to level, with a step that grows more certain on the way. False when there are too
// many.
static bool count_steps(const oq_levels *l, double step, double *index) {
    index[0] = 0;
    for (size_t i = 1; i < l->count; i++) {
        index[i] = index[i - 1] + rint(((double)l->value[i] - (double)l->value[i - 1]) / step);
        if (!(index[i] > index[i - 1]) || index[i] > OQ_LEVELS_MOST - 1) return false;
        step = ((double)l->value[i] - (double)l->value[0]) / index[i];
    }
    return true;
}

// Least squares line through (index, level).
static void fit_line(const oq_levels *l, const double *index, oq_lattice *out) {
    double sum_k = 0, sum_x = 0, square = 0, product = 0;
    const double n = (double)l->count;
    for (size_t i = 0; i < l->count; i++) sum_k += index[i], sum_x += (double)l->value[i];
    for (size_t i = 0; i < l->count; i++) {
        square += (index[i] - sum_k / n) * (index[i] - sum_k / n);
        product += (index[i] - sum_k / n) * ((double)l->value[i] - sum_x / n);
    }
    out->step = product / square;
    out->low = sum_x / n - out->step * sum_k / n;
    out->last = (int)index[l->count - 1];
}

static bool holds(const oq_levels *l, const double *index, const oq_lattice *lattice) {
    for (size_t i = 0; i < l->count; i++)
        if (!(fabs((double)l->value[i] - lattice->low - lattice->step * index[i]) <=
              TOLERANCE * lattice->step))
            return false;
    return lattice->step > 0;
}

bool oq_levels_lattice(const oq_levels *l, oq_lattice *out) {
    double index[OQ_LEVELS_MOST], least = INFINITY;
    if (l->count < LEAST_LEVELS || l->count > OQ_LEVELS_MOST) return false;
    for (size_t i = 1; i < l->count; i++) least = fmin(least, (double)l->value[i] - (double)l->value[i - 1]);
    for (int apart = 1; apart <= MOST_APART; apart++) {
        if (!count_steps(l, least / apart, index)) continue;
        fit_line(l, index, out);
        if (holds(l, index, out)) return true;
    }
    return false;
}
