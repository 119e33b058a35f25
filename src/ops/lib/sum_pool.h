// Pools that sum over their windows: AveragePool and LpPool differ in what they add and how they finish.
#ifndef OQ_OPS_LIB_SUM_POOL_H
#define OQ_OPS_LIB_SUM_POOL_H

#include "ops/lib/window.h"

typedef struct oq_sum_pool {
    double p; // 0: adds x and divides by the count; otherwise adds |x|^p and takes the p-th root
    bool count_include_pad;
    bool count_all; // every window counts whole, also where ceil_mode lets it reach beyond the padding
} oq_sum_pool;
// Input 0 to output 0.
oq_status oq_sum_pool_run(oq_run_context *context, const oq_sum_pool *pool, oq_error *err);
// x [images, channels, in...] to y, which has the shape that `window` (placed over x) gives.
oq_status oq_sum_pool_apply(oq_run_context *context, const oq_sum_pool *pool, const oq_window *window,
                            const oq_tensor *x, oq_tensor *y, oq_error *err);

// |x|^p summed over n elements, and its p-th root, in float32 and double.
float oq_power_sum_f32(const float *x, size_t n, float p);
double oq_power_sum_f64(const double *x, size_t n, double p);
float oq_root_f32(float sum, float p);
double oq_root_f64(double sum, double p);

// Opset 1 to 2 of LpPool and GlobalLpPool: p became an integer; a broken one cannot be said any more.
oq_status oq_lp_pool_upgrade(oq_upgrade_context *context, oq_error *err);

#endif
