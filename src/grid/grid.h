// The grid: the only place that turns width, range, scale and zero point into integers and back.
#ifndef OQ_GRID_GRID_H
#define OQ_GRID_GRID_H

#include "tensor/tensor.h"

// An integer grid. The carrier dtype may be wider than the grid (3-bit weights live in INT4).
typedef struct oq_grid {
    int bits;       // 2..16
    bool is_signed; // carrier: INT8/INT16/INT4/INT2 or the unsigned ones
    bool narrow;    // symmetric weights: -(2^(b-1)-1) instead of -2^(b-1)
    int32_t qmin, qmax;
} oq_grid;

// Grid of `bits`; narrow applies to signed grids only.
oq_grid oq_grid_make(int bits, bool is_signed, bool narrow);
// Smallest 8- or 16-bit carrier, or down to the 4- and 2-bit types when `sub_byte`.
oq_dtype oq_grid_carrier(const oq_grid *grid, bool sub_byte);

typedef struct oq_qparam {
    float scale; // > 0, the stored one
    int32_t zero_point;
} oq_qparam;

// Range to parameters. The range is widened to hold 0; s = (max-min)/(qmax-qmin) in double stored as float32,
// zp from the stored s, rounded half to even and clamped. Zero width or s below FLT_MIN: s = 1, zp = zero of
// the grid. NaN or infinity: error naming `tensor`.
oq_status oq_grid_asymmetric(const oq_grid *grid, double min, double max, const char *tensor, oq_qparam *out,
                             oq_error *err);
// s = absmax / qmax (of the narrow grid unless grid says -2^(b-1) is in use: absmax / (2^(b-1) - .5)); zp 0,
// or 2^(b-1) for unsigned grids (arXiv 1708.00214, formula for b = 128).
oq_status oq_grid_symmetric(const oq_grid *grid, double absmax, const char *tensor, oq_qparam *out,
                            oq_error *err);

// q = clamp(round_half_even(x / s) + zp): divide, round, add, saturate; NaN gives zp.
int32_t oq_quantize_one(const oq_grid *grid, oq_qparam p, float x);
float oq_dequantize_one(oq_qparam p, int32_t q); // (q - zp) * s in float32
// Blocks; int32 integers.
void oq_quantize(const oq_grid *grid, oq_qparam p, const float *x, int32_t *q, size_t count);
void oq_dequantize(oq_qparam p, const int32_t *q, float *x, size_t count);

// Requantization of an accumulator (int32; int64 for products of 16-bit integers):
// clamp(round_half_even((float)acc * multiplier) + zp), as QLinearMatMul and QLinearConv do it; multiplier =
// (sa * sb) / sy in float32, left to right.
int32_t oq_requantize_one(int64_t acc, float multiplier, int32_t zero_point, int32_t qmin, int32_t qmax);

#endif
