// Rounding of a weight matrix that looks at data: integers whose products differ least from those of the
// float model, not integers nearest to the weights.
#ifndef OQ_TUNE_ROUND_H
#define OQ_TUNE_ROUND_H

#include "base/pool.h"
#include "grid/grid.h"

// Rows of weights that read the same inputs. With W^ = (q - zero point) * scale, what is made small is
//   E|W x - W^ x^|^2  =  tr(E (second + ridge) E^T) - 2 share tr(W drift E^T) + const,   E = W^ - W
// where second and drift are as in gram.h. Few samples show less of the data than there are weights: the
// ridge draws what they did not show to the float weights, and a share below 1 trusts less in what they say
// about errors that arrive.
typedef struct oq_round_basis oq_round_basis;

typedef struct oq_round_problem {
    oq_mem *mem;
    oq_pool *pool;             // or NULL; the result does not depend on it
    size_t rows, depth, pitch; // of w and q: element (i, k) at i * pitch + k
    const float *w;
    int32_t *q; // in: rounded to nearest, or anything in the grid; out: better ones
    oq_grid grid;
    const oq_qparam *params; // of element (i, k): params[i * param_pitch + k / group]
    size_t param_pitch;
    size_t group;                // neighbours along depth that share a parameter; depth: one a row
    const float *second;         // [depth, depth]
    const float *drift;          // [depth, depth], or NULL: the inputs are the same in both models
    const oq_round_basis *basis; // of these moments and weights, or NULL; drift is not read then
    const float *product;        // [rows, depth] E second of the integers as they come in, or NULL
    // As in oq_weight_rows, `first` being the place in the row of element 0; only the descent keeps to it.
    const size_t (*partner)[2];
    size_t first;
    int32_t pair_limit;
    size_t between; // rows of basis and product between those of two rows; 0: they have the same
    float ridge;    // in means of the diagonal of `second`; .01 with data for every weight
    float share;    // 0..1
} oq_round_problem;

// What all roundings of the same rows by the same moments have in common, made once for several of them.
struct oq_round_basis {
    void *second;    // packed for products; NULL: none are needed
    float *product;  // [rows, depth] E second of the integers that it was made for, or NULL
    float *arriving; // [rows, depth] W drift, or NULL
};
// `product`: for roundings that begin with these integers; `second`: for those that do not, and for
// oq_round_change.
oq_status oq_round_basis_make(const oq_round_problem *problem, bool product, bool second, oq_round_basis *out,
                              oq_error *err);
void oq_round_basis_release(oq_mem *mem, oq_round_basis *basis);

// Coordinate descent: integer by integer to where the error is least while all others stay, at most 4 sweeps.
oq_status oq_round_descend(const oq_round_problem *problem, oq_error *err);

// GPTQ (Frantar et al. 2022): integers in the order of the diagonal of `second`, the largest first; those
// that come later make up for the error of those before. The order is greedy: nothing is looked at twice.
oq_status oq_round_gptq(const oq_round_problem *problem, oq_error *err);
// AdaRound (Nagel et al. 2020): up or down for each weight, relaxed to numbers between, which gradient
// descent moves and a regulariser drives to either end.
oq_status oq_round_adaptively(const oq_round_problem *problem, oq_error *err);

// Scales, one a row, with which these integers have the least error: params is problem->params, whose zero
// points stay.
oq_status oq_round_fit_scales(const oq_round_problem *problem, oq_qparam *params, oq_error *err);

// By how much the error above changes (second is not read where there is a basis), row by row, when the
// integers go from `before` to problem->q (of the same pitch), and the parameters from `was` (NULL: they
// stay); with ridge 0 and share 1, for second and drift of samples that were not rounded on. Below 0: better.
oq_status oq_round_change(const oq_round_problem *problem, const int32_t *before, const oq_qparam *was,
                          double *change, oq_error *err);

#endif
