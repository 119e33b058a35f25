// Where each output position of an axis reads, and with what weight (private to the resize family).
#ifndef OQ_OPS_LIB_RESIZE_TAPS_H
#define OQ_OPS_LIB_RESIZE_TAPS_H

#include "ops/lib/resize.h"

// For output position j: sum over t of weight[j * taps + t] * input[index[j * taps + t]].
typedef struct oq_resize_taps {
    int64_t taps;
    int64_t *index; // in [0, in)
    double *weight;
    bool *outside; // position lies outside the input: the extrapolation value (CROP only)
} oq_resize_taps;

// The coordinate in the input of output position j.
double oq_resize_source(const oq_resize_options *options, const oq_resize_axis *axis, int64_t j);
bool oq_resize_is_outside(const oq_resize_options *options, const oq_resize_axis *axis, double x);
// The nearest input position for coordinate x.
int64_t oq_resize_nearest(const oq_resize_options *options, const oq_resize_axis *axis, double x);
// Taps of linear and cubic modes, in the context's scratch.
oq_status oq_resize_make_taps(oq_run_context *context, const oq_resize_options *options,
                              const oq_resize_axis *axis, oq_resize_taps *out, oq_error *err);

#endif
