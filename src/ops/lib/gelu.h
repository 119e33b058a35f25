// Gelu in its two forms, Swish, and Gelu of a sum: for Gelu, Swish, QuickGelu, BiasGelu and FastGelu.
#ifndef OQ_OPS_LIB_GELU_H
#define OQ_OPS_LIB_GELU_H

#include "ops/lib/binary.h"
#include "ops/lib/unary.h"

extern const oq_unary oq_gelu_erf;  // 0.5 * x * (1 + erf(x / sqrt(2)))
extern const oq_unary oq_gelu_tanh; // 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))
extern const oq_unary oq_swish;     // x * sigmoid(a * x)
// The first two of a + b, broadcast.
extern const oq_binary oq_bias_gelu_erf, oq_bias_gelu_tanh;

#endif
