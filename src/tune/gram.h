// Second moments of a layer's input, gathered row by row: what data-aware rounding knows of the data.
#ifndef OQ_TUNE_GRAM_H
#define OQ_TUNE_GRAM_H

#include "base/pool.h"

// x: input in the float model, x^: in the quantized one. Of each group of `depth` inputs
//   second [depth, depth] = E[x^ x^T]          how much errors of two weights add up
//   drift  [depth, depth] = E[(x - x^) x^T]    what the weights can make up of errors that arrive
// both of numbers less their means when a bias takes care of the means. Sums: float32 products of blocks of
// rows, added in the order in which the rows came, so the same for any number of threads.
typedef struct oq_gram {
    oq_mem *mem;
    oq_pool *pool;
    size_t groups, depth;
    bool centred;
    float *second, *drift; // [groups, depth, depth]
    double rows;           // added so far
    // Rows that wait: x^ and x - x^ less `origin` [2, groups * depth], which is the first block's mean.
    float *wait[2], *origin;
    double *sum[2]; // [groups * depth] of what was added
    size_t waiting, room;
    float *scratch[2]; // [threads] one product and one packed block each
} oq_gram;

oq_status oq_gram_begin(oq_gram *gram, oq_mem *mem, oq_pool *pool, size_t groups, size_t depth, bool centred,
                        oq_error *err);
void oq_gram_release(oq_gram *gram);
// Gives drift up, and second if `both`.
void oq_gram_drop(oq_gram *gram, bool both);
// How many rows can be filled in before they must be taken in, at least 1, and row number `i` of these, of
// each stream, [groups * depth]. Taking in `count` of them, from the first on, makes room again when there is
// none.
size_t oq_gram_room(const oq_gram *gram);
void oq_gram_row(const oq_gram *gram, size_t i, float **x, float **x_quantized);
oq_status oq_gram_take(oq_gram *gram, size_t count, oq_error *err);
// Makes means of the sums. Nothing is added afterwards.
oq_status oq_gram_end(oq_gram *gram, oq_error *err);

#endif
