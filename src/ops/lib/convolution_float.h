// Float convolution of input 0 by the weight at input 1, with the bias at input 2 (or none): Conv and
// FusedConv.
#ifndef OQ_OPS_LIB_CONVOLUTION_FLOAT_H
#define OQ_OPS_LIB_CONVOLUTION_FLOAT_H

#include "ops/lib/convolution.h"

// Packs a constant weight where the packed kernel takes it: the state of the node, an oq_packed.
oq_status oq_convolution_float_prepare(oq_run_context *context, void **state, oq_error *err);
oq_status oq_convolution_float_run(oq_run_context *context, oq_error *err);

#endif
