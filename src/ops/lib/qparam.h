// Scales and zero points of the quantized operators, read into float32 and int32.
#ifndef OQ_OPS_LIB_QPARAM_H
#define OQ_OPS_LIB_QPARAM_H

#include "ops/lib/array.h"

// One value for the whole tensor (count 1), or one per row, column or channel.
typedef struct oq_qparams {
    size_t count;
    const float *scale;  // NULL when there was none to read: 1
    const int32_t *zero; // as many; zeros when there is no zero point
} oq_qparams;

// Reads inputs `scale` (SIZE_MAX: this operator has none) and `zero` (may be left out); `what` names the
// tensor in errors ("the weight"). Their counts must agree, or one of them be 1.
oq_status oq_qparams_read(oq_run_context *context, size_t scale, size_t zero, const char *what,
                          oq_qparams *out, oq_error *err);
static inline float oq_qparams_scale(const oq_qparams *p, size_t i) {
    return p->scale ? p->scale[p->count == 1 ? 0 : i] : 1.0F;
}
// (a.scale * b.scale) / y.scale per element of the longer of a and b, in float32, left to right.
oq_status oq_qparams_multiplier(oq_run_context *context, const oq_qparams *a, const oq_qparams *b,
                                float y_scale, float **out, oq_error *err);

#endif
