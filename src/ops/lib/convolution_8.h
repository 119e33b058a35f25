// 8-bit convolution of one image for QLinearConv and ConvInteger: the packed kernel, or plain loops where it
// does not reach.
#ifndef OQ_OPS_LIB_CONVOLUTION_8_H
#define OQ_OPS_LIB_CONVOLUTION_8_H

#include "ops/lib/convolution.h"
#include "ops/lib/product.h"

typedef struct oq_convolution_8 {
    const oq_convolution *plan;
    const oq_tensor *w;
    const uint8_t *x; // one image
    bool x_signed;
    int32_t x_zero;
    const int32_t *w_zero; // one value, or [filters] when per filter
    bool w_zero_per_filter;
    const oq_requantize *requantize; // or NULL: the sums stay in acc
    int32_t *acc;                    // [filters, out...]
    void *packed;                    // set by the first run of a weight that is not constant
} oq_convolution_8;

// Packs the constant weight at input `w`: the state of the node (oq_packed, or nothing).
oq_status oq_convolution_8_prepare(oq_run_context *context, size_t w, void **state, oq_error *err);
oq_status oq_convolution_8_run(oq_run_context *context, oq_convolution_8 *c, oq_error *err);

#endif
