// Running sums and products along an axis (CumSum, CumProd).
#ifndef OQ_OPS_LIB_SCAN_H
#define OQ_OPS_LIB_SCAN_H

#include "ops/lib/binary.h"

// y[k] = x[0] f ... f x[k] along the axis in input 1, in the working type, one after the other; attributes
// exclusive (without x[k]; `first` stands at the begin) and reverse (from the end).
oq_status oq_scan_run(oq_run_context *context, const oq_binary *f, double first, oq_error *err);

#endif
