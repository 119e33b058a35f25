// Scale and zero point of a tensor from its own range, as DynamicQuantizeLinear takes them.
#ifndef OQ_OPS_LIB_DYNAMIC_H
#define OQ_OPS_LIB_DYNAMIC_H

#include "ops/lib/work.h"

// For uint8: the range of x and 0 in 255 steps, all in float32; a range of no width has scale 1.
void oq_dynamic_parameters(const float *x, size_t n, float *scale, int32_t *zero);

#endif
