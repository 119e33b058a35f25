// Matrix products of two tensors of any rank by plain numbers (not 8-bit ones): MatMul and FusedMatMul.
#ifndef OQ_OPS_LIB_MATMUL_FLOAT_H
#define OQ_OPS_LIB_MATMUL_FLOAT_H

#include "ops/lib/factor.h"
#include "ops/lib/matmul.h"

// Packs a constant right factor (NULL: it is not constant): the state of the node, an oq_packed.
oq_status oq_matmul_float_prepare(oq_run_context *context, const oq_tensor *b, void **state, oq_error *err);
// Output 0 = alpha * (a x b). With a state only the shape of b is read. alpha other than 1: floats only.
oq_status oq_matmul_float_run(oq_run_context *context, const oq_tensor *a, const oq_tensor *b, double alpha,
                              oq_error *err);

#endif
