// Pow: the two inputs may have different types, so it has a driver of its own.
#ifndef OQ_OPS_LIB_POWER_H
#define OQ_OPS_LIB_POWER_H

#include "ops/lib/binary.h"

// Output 0 = input 0 to the power input 1, in the type of input 0. Float bases: in their working type;
// integer bases: exact with wrapping for integer exponents, through float64 for float exponents.
oq_status oq_power_run(oq_run_context *context, oq_error *err);

#endif
