// The distinct values of a channel while they are few: tells integers that were scaled and shifted, such as
// pixels, from other numbers.
#ifndef OQ_STATS_LEVELS_H
#define OQ_STATS_LEVELS_H

#include <stdbool.h>
#include <stddef.h>

#define OQ_LEVELS_MOST 256

// A set: it depends neither on the order nor on the number of times in which values come. All zero: empty.
typedef struct oq_levels {
    size_t count;                // OQ_LEVELS_MOST + 1: there are more, or some are not finite
    float value[OQ_LEVELS_MOST]; // [count], ascending; unused and 0 when there are more
} oq_levels;

void oq_levels_add(oq_levels *levels, const float *x, size_t n);
void oq_levels_merge(oq_levels *into, const oq_levels *other);
bool oq_levels_are_sound(const oq_levels *levels); // for data from files

// Level k is low + k * step, k = 0..last, last < OQ_LEVELS_MOST.
typedef struct oq_lattice {
    double low, step;
    int last;
} oq_lattice;

// True when there are levels enough and every one lies on the lattice, up to rounding.
bool oq_levels_lattice(const oq_levels *levels, oq_lattice *out);

#endif
