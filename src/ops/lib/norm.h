// Normalization of rows to zero mean and unit variance (or unit root mean square), then scale and bias:
// LayerNormalization, RMSNormalization, InstanceNormalization and GroupNormalization.
#ifndef OQ_OPS_LIB_NORM_H
#define OQ_OPS_LIB_NORM_H

#include "ops/lib/array.h"

// x as `rows` of parts * part_size elements. Scale and bias hold one value per part, for `period` rows before
// they repeat.
typedef struct oq_norm {
    size_t rows, parts, part_size, period;
    bool center;        // subtract the mean; false: root mean square
    const oq_tensor *x; // NULL: input 0
    double epsilon;
    const oq_tensor *scale, *bias; // any float dtype; bias may be NULL; [period * parts] values, or:
    const oq_shape *broadcast;     // when set, both are first broadcast to this shape of as many values
    oq_dtype y_dtype;
    oq_tensor *mean, *inverse; // outputs of one value a row, or NULL
} oq_norm;

// Normalizes x into output 0 of the same shape.
oq_status oq_norm_run(oq_run_context *context, const oq_norm *norm, oq_error *err);
// LayerNormalization and RMSNormalization (and Simplified..): rows are the axes from attribute `axis` on,
// scale is input 1, bias input 2 (or left out) and both broadcast to x.
oq_status oq_norm_run_axis(oq_run_context *context, bool center, oq_dtype y_dtype, oq_error *err);
// The type of the means or inverse deviations of such a node: x with size 1 from `axis` on.
oq_status oq_norm_stash_type(oq_infer_context *context, oq_type *out, oq_error *err);

// SkipLayerNormalization and its Simplified form: normalizes input 0 + input 1 (+ bias) along the last axis.
// The scale is input 2; inputs `beta` and `bias` may be left out. Outputs: y, mean, inverse deviation, the
// sum.
oq_status oq_norm_run_skip(oq_run_context *context, bool center, size_t beta, size_t bias, oq_error *err);
oq_status oq_norm_infer_skip(oq_infer_context *context, oq_error *err);

#endif
