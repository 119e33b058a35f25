// Second moments of a layer's input, gathered row by row: what data-aware rounding knows of the data.
#ifndef OQ_TUNE_GRAM_H
#define OQ_TUNE_GRAM_H

#include "base/pool.h"

// x: input in the float model, x^: in the quantized one. Of each group of `depth` inputs
//   second [depth, depth] = E[x^ x^T]          how much errors of two weights add up
//   drift  [depth, depth] = E[(x - x^) x^T]    what the weights can make up of errors that arrive
// both of numbers less their means when a bias takes care of the means. Sums: float32, row after row as they
// came, so the same for any number of threads.
typedef struct oq_gram {
    oq_mem *mem;
    oq_pool *pool;
    size_t groups, depth;
    bool centred;
    float *second, *drift; // [groups, depth, depth]
    double rows;           // added so far
    // x^ and x - x^ less `origin` [2, groups * depth], which is the first block's mean.
    float *origin;
    double *sum[2]; // [groups * depth] of what was added
    float *columns; // of the block that is on
    void *packed;
} oq_gram;

// The most rows that are added at once.
enum { OQ_GRAM_ROOM = 256 };

// Where rows come from. Columns [from, to) of [groups * depth] of all rows of the block: row i of column k is
// x[(k - from) * pitch + i]. Called by several threads at once, each time for other columns.
typedef struct oq_gram_source {
    const void *self;
    void (*fill)(const void *self, size_t from, size_t to, float *x, float *x_quantized, size_t pitch);
} oq_gram_source;

oq_status oq_gram_begin(oq_gram *gram, oq_mem *mem, oq_pool *pool, size_t groups, size_t depth, bool centred,
                        oq_error *err);
void oq_gram_release(oq_gram *gram);
// Gives drift up, and second if `both`.
void oq_gram_drop(oq_gram *gram, bool both);
// Adds `count` rows, at most OQ_GRAM_ROOM.
oq_status oq_gram_add(oq_gram *gram, size_t count, const oq_gram_source *source, oq_error *err);
// Makes means of the sums. Nothing is added afterwards.
oq_status oq_gram_end(oq_gram *gram, oq_error *err);

#endif
