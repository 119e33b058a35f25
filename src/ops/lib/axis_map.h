// Outputs made by picking, along every axis, source positions from a list: Pad, Resize (nearest),
// ReverseSequence-like.
#ifndef OQ_OPS_LIB_AXIS_MAP_H
#define OQ_OPS_LIB_AXIS_MAP_H

#include "ops/lib/mover.h"

// For each output axis, its source position for every output position; -1: filled with `value`.
typedef struct oq_axis_maps {
    const int64_t *map[OQ_MAX_RANK]; // [shape.dim[d]]
} oq_axis_maps;

// m->to[i0, i1, ..] = from[map0[i0], map1[i1], ..], or `value` (one element) where a map says -1. `from` is
// dense of shape `source`, of the same rank as m->shape.
void oq_move_mapped(const oq_mover *m, const oq_axis_maps *maps, const oq_shape *source,
                    const unsigned char *from, const unsigned char *value);

#endif
