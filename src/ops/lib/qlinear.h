// The QLinear operators of com.microsoft that go element by element: one scale and zero point a tensor.
#ifndef OQ_OPS_LIB_QLINEAR_H
#define OQ_OPS_LIB_QLINEAR_H

#include "ops/lib/qparam.h"

#define OQ_QLINEAR_T8 (OQ_T(INT8) | OQ_T(UINT8))

typedef struct oq_qlinear {
    float scale;
    int32_t zero;
} oq_qlinear;

// Scale and zero point (may be left out: 0) of a whole tensor; `what` names it in errors.
oq_status oq_qlinear_read(oq_run_context *context, size_t scale, size_t zero, const char *what,
                          oq_qlinear *out, oq_error *err);

// y = f(x) of a byte as one table of 256 entries; f over float32 values, x to y, `parameter` is its own.
typedef void (*oq_qlinear_function)(const float *x, float *y, size_t n, float parameter);
void oq_qlinear_table(oq_dtype dtype, oq_qlinear x, oq_qlinear y, oq_qlinear_function f, float parameter,
                      uint8_t table[256]);
// Operators of the form (X, X_scale, X_zero_point, Y_scale, Y_zero_point) -> Y.
oq_status oq_qlinear_unary_run(oq_run_context *context, oq_qlinear_function f, float parameter,
                               oq_error *err);

// Operators of the form (A, A_scale, A_zero_point, B, .., C_scale, C_zero_point) -> C, broadcast both ways.
// The block gets the integers as float32 and gives C before rounding, its zero point added; c is apart from a
// and b.
typedef struct oq_qlinear_pair {
    oq_qlinear a, b, c;
    bool a_stands; // one element of A meets a row of B
} oq_qlinear_pair;
typedef void (*oq_qlinear_block)(const oq_qlinear_pair *p, const float *a, const float *b, float *c,
                                 size_t n);
oq_status oq_qlinear_binary_run(oq_run_context *context, oq_qlinear_block block, oq_error *err);
oq_status oq_qlinear_binary_infer(oq_infer_context *context, oq_error *err);

// q[i] = saturate(round_half_even(x[i])) as bytes of `dtype`; what is x already holds the zero point.
void oq_qlinear_store(oq_dtype dtype, const float *x, uint8_t *q, size_t n);

#define OQ_QLINEAR_UNARY_SIGNATURE                                                                           \
    "X:T, X_scale:float32, X_zero_point?:T, Y_scale:float32, Y_zero_point?:T -> Y:T"
#define OQ_QLINEAR_BINARY_SIGNATURE                                                                          \
    "A:T, A_scale:float32, A_zero_point?:T, B:T, B_scale:float32, B_zero_point?:T, C_scale:float32, "        \
    "C_zero_point?:T -> C:T"

#endif
