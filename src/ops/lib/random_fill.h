// Tensors of random numbers: what RandomNormal, RandomUniform and their Like forms share.
#ifndef OQ_OPS_LIB_RANDOM_FILL_H
#define OQ_OPS_LIB_RANDOM_FILL_H

#include "ops/lib/random.h"
#include "ops/lib/schema.h"

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
// Version tables, with the names of the two parameters.
#define OQ_VERSIONS_RANDOM(FIRST, SECOND)                                                                    \
    {.since = 1,                                                                                             \
     .signature = "-> output:T",                                                                             \
     .types = OQ_TYPES({"T", OQ_T_FLOATS3}),                                                                 \
     .attrs = OQ_ATTRS({"shape", OQ_ATTR_INTS, true}, {"dtype", OQ_ATTR_INT, false},                         \
                       {"seed", OQ_ATTR_FLOAT, false}, {FIRST, OQ_ATTR_FLOAT, false},                        \
                       {SECOND, OQ_ATTR_FLOAT, false}),                                                      \
     .infer = oq_infer_random_shape,                                                                         \
     .run = run},                                                                                            \
    {                                                                                                        \
        .since = 22, .signature = "-> output:T", .types = OQ_TYPES({"T", OQ_T_FLOATS4}),                     \
        .attrs = OQ_ATTRS({"shape", OQ_ATTR_INTS, true}, {"dtype", OQ_ATTR_INT, false},                      \
                          {"seed", OQ_ATTR_FLOAT, false}, {FIRST, OQ_ATTR_FLOAT, false},                     \
                          {SECOND, OQ_ATTR_FLOAT, false}),                                                   \
        .infer = oq_infer_random_shape, .run = run                                                           \
    }
#define OQ_VERSIONS_RANDOM_LIKE(FIRST, SECOND)                                                               \
    {.since = 1,                                                                                             \
     .signature = "input:T1 -> output:T2",                                                                   \
     .types = OQ_TYPES({"T1", OQ_T_ALL1}, {"T2", OQ_T_FLOATS3}),                                             \
     .attrs = OQ_ATTRS({"dtype", OQ_ATTR_INT, false}, {"seed", OQ_ATTR_FLOAT, false},                        \
                       {FIRST, OQ_ATTR_FLOAT, false}, {SECOND, OQ_ATTR_FLOAT, false}),                       \
     .infer = oq_infer_random_like,                                                                          \
     .run = run},                                                                                            \
    {                                                                                                        \
        .since = 22, .signature = "input:T1 -> output:T2",                                                   \
        .types = OQ_TYPES({"T1", OQ_T_ALL13}, {"T2", OQ_T_FLOATS4}),                                         \
        .attrs = OQ_ATTRS({"dtype", OQ_ATTR_INT, false}, {"seed", OQ_ATTR_FLOAT, false},                     \
                          {FIRST, OQ_ATTR_FLOAT, false}, {SECOND, OQ_ATTR_FLOAT, false}),                    \
        .infer = oq_infer_random_like, .run = run                                                            \
    }

#endif
