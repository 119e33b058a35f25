// What a product's output positions are computed from: rows of its input, one a position.
#ifndef OQ_TUNE_PATCHES_H
#define OQ_TUNE_PATCHES_H

#include "ops/lib/window.h"
#include "quant/edit.h"

// The input of a layer with one constant operand, seen as a matrix [positions, groups * depth]: of a
// convolution the window below each place of the output, padding included; of a matrix product the vectors
// along K.
// Column number c * cells + t is cell t of the window in channel c, whose elements lie `plane` after those of
// channel c - 1; matrices have one cell, and a channel for each element along K.
typedef struct oq_patches {
    size_t groups, depth, positions;
    size_t cells, channels, plane;
    bool convolution;
    oq_window window; // placed
    size_t places;    // of an output channel, or of a matrix behind K
} oq_patches;

// For an input of shape x; `weight` is the shape of the layer's constant operand.
oq_status oq_patches_of(const oq_graph *graph, const oq_layer *layer, const oq_shape *x, oq_patches *out,
                        oq_error *err);
// Elements of an input: float32, or, with a table, bytes that number the entries of it.
typedef struct oq_patches_source {
    const void *data;
    const float *table; // [256] or NULL
    oq_qparam param;    // with a table: what makes it
    bool is_signed;     // the bytes are
} oq_patches_source;

// Where channel 0 of each cell of a position lies in x, or -1 in the padding: at[t * step], t < cells.
void oq_patches_locate(const oq_patches *p, size_t position, int64_t *at, size_t step);
// Columns [from, to) of `count` positions: of column k at x's place in `at` [cells, step], which locating
// filled, to out[(k - from) * pitch + i].
void oq_patches_columns(const oq_patches *p, const oq_patches_source *x, const int64_t *at, size_t step,
                        size_t count, size_t from, size_t to, float *out, size_t pitch);
// Lines of a channel that the outer axes of the windows meet: [cells along outer axes, outer places], -1 in
// the padding. Matrices have none.
size_t oq_patches_lines(const oq_patches *p);
void oq_patches_find_lines(const oq_patches *p, int64_t *line_of);
// Adds the sum over all positions of column k to sum[k], for the columns of channels [from, to). `line_of`
// [oq_patches_lines] was found; `work` has oq_patches_work bytes.
size_t oq_patches_work(const oq_patches *p);
void oq_patches_add_up(const oq_patches *p, const oq_patches_source *x, const int64_t *line_of, size_t from,
                       size_t to, void *work, double *sum);
// Position number `i` of `take` that stand for all: one from each of as many stretches of equal length, at a
// place that depends on `i` and `seed` alone.
size_t oq_patches_choose(const oq_patches *p, size_t take, size_t i, uint64_t seed);

#endif
