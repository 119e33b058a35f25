// Elementwise functions of any number of tensors with broadcasting (Max, Min, Sum, Mean): a fold by one
// formula, in the working type, rounded once.
#ifndef OQ_OPS_LIB_VARIADIC_H
#define OQ_OPS_LIB_VARIADIC_H

#include "ops/lib/binary.h"

// Output 0 = input 0 f input 1 f ...; divided by the number of inputs when `mean` (floats only).
oq_status oq_variadic_run(oq_run_context *context, const oq_binary *f, bool mean, oq_error *err);

#endif
