// Our own elementary functions in float32: the same bits on every machine (no libm), scalar form. The vector
// forms in kernels/rows.h compute the same operations in the same order.
#ifndef OQ_BASE_MATH_H
#define OQ_BASE_MATH_H

float oq_expf(float x);          // within 1 ulp; overflow inf, underflow 0 through denormals, NaN stays
float oq_logf(float x);          // within 1 ulp; log(0) = -inf, negative NaN
float oq_powf(float x, float y); // within 2 ulp, IEEE special cases of pow
float oq_tanhf(float x);         // within 2 ulp
float oq_erff(float x);          // within 2 ulp
float oq_sigmoidf(float x);      // 1 / (1 + exp(-x)), within 2.5 ulp, no overflow

#endif
