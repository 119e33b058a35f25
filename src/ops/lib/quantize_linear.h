// Whole `infer` and `run` functions of QuantizeLinear and DequantizeLinear, of every domain and version.
#ifndef OQ_OPS_LIB_QUANTIZE_LINEAR_H
#define OQ_OPS_LIB_QUANTIZE_LINEAR_H

#include "ops/lib/infer.h"

oq_status oq_quantize_linear_infer(oq_infer_context *context, oq_error *err);
oq_status oq_quantize_linear_run(oq_run_context *context, oq_error *err);
oq_status oq_dequantize_linear_infer(oq_infer_context *context, oq_error *err);
oq_status oq_dequantize_linear_run(oq_run_context *context, oq_error *err);

#endif
