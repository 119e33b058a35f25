// What a product's output positions are computed from: rows of its input, one a position.
#ifndef OQ_TUNE_PATCHES_H
#define OQ_TUNE_PATCHES_H

#include "ops/lib/window.h"
#include "quant/edit.h"

// The input of a layer with one constant operand, seen as a matrix [positions, groups * depth]: of a
// convolution the window below each place of the output, padding included; of a matrix product the vectors
// along K.
typedef struct oq_patches {
    size_t groups, depth, positions;
    // Matrices: element k of position (outer, inner) lies at (outer * depth + k) * inner_count + inner.
    size_t inner_count;
    // Convolutions: the placed window; elements of an input channel, places of an output channel.
    bool convolution;
    oq_window window;
    size_t channels, plane, places;
} oq_patches;

// For an input of shape x; `weight` is the shape of the layer's constant operand.
oq_status oq_patches_of(const oq_graph *graph, const oq_layer *layer, const oq_shape *x, oq_patches *out,
                        oq_error *err);
// Elements of an input: float32, or, with a table, bytes that number the entries of it.
typedef struct oq_patches_source {
    const void *data;
    const float *table; // [256] or NULL
} oq_patches_source;

// The row [groups * depth] of one position of x.
void oq_patches_row(const oq_patches *p, const oq_patches_source *x, size_t position, float *row);
// Position number `i` of `take` that stand for all: one from each of as many stretches of equal length, at a
// place that depends on `i` and `seed` alone.
size_t oq_patches_choose(const oq_patches *p, size_t take, size_t i, uint64_t seed);

#endif
