// Normalization of rows to zero mean and unit variance (or unit root mean square), then scale and bias:
// LayerNormalization, RMSNormalization, InstanceNormalization and GroupNormalization.
#ifndef OQ_OPS_LIB_NORM_H
#define OQ_OPS_LIB_NORM_H

#include "ops/lib/array.h"

// x as `rows` of parts * part_size elements. Scale and bias hold one value per part, for `period` rows before
// they repeat.
typedef struct oq_norm {
    size_t rows, parts, part_size, period;
    bool center; // subtract the mean; false: root mean square
    double epsilon;
    const oq_tensor *scale, *bias; // any float dtype; bias may be NULL; [period * parts] values, or:
    const oq_shape *broadcast;     // when set, both are first broadcast to this shape of as many values
    oq_dtype y_dtype;
    oq_tensor *mean, *inverse; // outputs of one value a row, or NULL
} oq_norm;

// Normalizes input 0 into output 0 of the same shape.
oq_status oq_norm_run(oq_run_context *context, const oq_norm *norm, oq_error *err);
// LayerNormalization and RMSNormalization: rows are the axes from attribute `axis` on, scale is input 1, bias
// input 2 (or left out) and both broadcast to x.
oq_status oq_norm_run_axis(oq_run_context *context, bool center, oq_dtype y_dtype, oq_error *err);

#endif
