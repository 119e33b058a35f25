// Global pools: every channel's image becomes one number.
#ifndef OQ_OPS_LIB_GLOBAL_POOL_H
#define OQ_OPS_LIB_GLOBAL_POOL_H

#include "ops/ops.h"

typedef struct oq_global_pool {
    float (*f32)(const float *x, size_t n, double p);
    double (*f64)(const double *x, size_t n, double p);
    double p; // handed to both
} oq_global_pool;
oq_status oq_global_pool_run(oq_run_context *context, const oq_global_pool *pool, oq_error *err);
// [N, C, 1, ...] of the input's dtype.
oq_status oq_global_pool_infer(oq_infer_context *context, oq_error *err);

#endif
