// Granularity: which elements of a tensor share one scale and zero point; and whole tensors to integers and
// back.
#ifndef OQ_GRID_LAYOUT_H
#define OQ_GRID_LAYOUT_H

#include "grid/grid.h"

typedef enum oq_granularity_kind {
    OQ_PER_TENSOR,
    OQ_PER_CHANNEL, // one parameter per index of `axis`
    OQ_PER_GROUP    // one per `group_size` neighbours along `axis` and index of all other axes (ONNX:
                    // block_size)
} oq_granularity_kind;

typedef struct oq_granularity {
    oq_granularity_kind kind;
    int axis; // negative: counted from the last
    int64_t group_size;
} oq_granularity;

// A tensor seen as [size 0, size 1, size 2] and cut into blocks of as many elements; those at the end of an
// axis may be shorter. Each block has one parameter; they are numbered in row-major order of the blocks.
//
//   per tensor            block = size
//   channels of an axis   size [outer, C, inner], block [outer, 1, inner]
//   groups along an axis  size [outer, K, inner], block [1, group, 1]
//   a stack of [K, N] matrices, one parameter a column    size [B, K, N], block [1, K, 1]
//
// Integers, and floats made from them, lie in row-major order. The original floats lie `step` apart, so that
// a transposed matrix is read where it stands: [K, N] of an array [N, K] has the steps 0, 1, K.
typedef struct oq_layout {
    size_t size[3], block[3], step[3];
} oq_layout;

// The layout of a row-major tensor. `params` (may be NULL) receives the shape that ONNX gives the scales: [],
// [C], or the tensor's with ceil(K / group) for the axis. USAGE when axis or group size do not fit.
oq_status oq_layout_make(const oq_shape *shape, const oq_granularity *granularity, oq_layout *out,
                         oq_shape *params, oq_error *err);
size_t oq_layout_params(const oq_layout *layout);     // how many blocks; an empty tensor has one
size_t oq_layout_block_size(const oq_layout *layout); // elements of the largest block

// The elements of block `param` one after the other into `into`; returns how many they are.
size_t oq_layout_gather(const oq_layout *layout, size_t param, const float *x, float *into);
// The first element in row-major order that is NaN or infinite; false when there is none.
bool oq_layout_find_bad(const oq_layout *layout, const float *x, size_t *index);

// How parameters are found from the elements themselves, as for weights.
typedef struct oq_fit {
    bool symmetric;
    // 0: the range holds every element. Else the search over range * (1 - i / 100), i = 0..79, for the least
    // sum of |x - x^|^exponent (2.4 serves weights; 2 is the mean squared error).
    double exponent;
    // NULL, or how much the squared error of each element counts, laid out as the elements are: the search is
    // for the least weighted sum then, and the scale of least squares follows it, over and over.
    const float *importance;
    // Behind the search, where there is no importance: a half-quadratic one for scale and zero point (HQQ,
    // Badri and Shaji 2023), whose result stays where the error above is less.
    bool half_quadratic;
} oq_fit;

// params [oq_layout_params]. NaN or infinity: BAD_DATA that names `tensor`.
oq_status oq_layout_fit(oq_mem *mem, const oq_layout *layout, const oq_grid *grid, const oq_fit *fit,
                        const float *x, const char *tensor, oq_qparam *params, oq_error *err);

// Elements of `carrier`, any integer type that holds the grid, in memory layout (4- and 2-bit ones take a
// byte each).
void oq_layout_quantize(const oq_layout *layout, const oq_grid *grid, const oq_qparam *params, const float *x,
                        oq_dtype carrier, void *q);
void oq_layout_dequantize(const oq_layout *layout, const oq_qparam *params, oq_dtype carrier, const void *q,
                          float *x);

#endif
