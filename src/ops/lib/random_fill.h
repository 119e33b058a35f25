// Tensors of random numbers: what RandomNormal, RandomUniform and their Like forms share.
#ifndef OQ_OPS_LIB_RANDOM_FILL_H
#define OQ_OPS_LIB_RANDOM_FILL_H

#include "ops/lib/infer.h"
#include "ops/lib/random.h"

// One number drawn with two parameters (low and high, or mean and scale).
typedef double (*oq_random_draw)(oq_random *random, double a, double b);

// Output 0 = count(shape) draws in row-major order, rounded once to `dtype` (a float type).
oq_status oq_random_fill(oq_run_context *context, oq_dtype dtype, const oq_shape *shape, oq_random_draw draw,
                         double a, double b, oq_error *err);
// Shape from the attribute `shape`, type from `dtype` (float32 when missing).
oq_status oq_random_fill_shape(oq_run_context *context, oq_random_draw draw, double a, double b,
                               oq_error *err);
// Shape of input 0, type from `dtype`, else that of input 0.
oq_status oq_random_fill_like(oq_run_context *context, oq_random_draw draw, double a, double b,
                              oq_error *err);

double oq_random_draw_uniform(oq_random *random, double low, double high);
double oq_random_draw_normal(oq_random *random, double mean, double scale);

oq_status oq_infer_random_shape(oq_infer_context *context, oq_error *err);
oq_status oq_infer_random_like(oq_infer_context *context, oq_error *err);

#endif
