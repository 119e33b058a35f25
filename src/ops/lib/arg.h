// Positions of extremes along an axis (ArgMax, ArgMin).
#ifndef OQ_OPS_LIB_ARG_H
#define OQ_OPS_LIB_ARG_H

#include "ops/lib/binary.h"
#include "ops/lib/elementwise.h"

// Output 0 (int64) = index along `axis` of the first element (the last with select_last_index) that no other
// one beats. `beats` is a relation loop: true where a is strictly better than b. NaN beats every number.
oq_status oq_arg_run(oq_run_context *context, const oq_binary *beats, oq_error *err);
oq_status oq_infer_arg(oq_infer_context *context, oq_error *err);

#endif
