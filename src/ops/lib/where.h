// Selection between two tensors by a third, for elements of any size and for strings.
#ifndef OQ_OPS_LIB_WHERE_H
#define OQ_OPS_LIB_WHERE_H

#include "ops/lib/broadcast.h"

// Output 0 = input 0 (bool) ? input 1 : input 2, all three broadcast.
oq_status oq_where_run(oq_run_context *context, oq_error *err);

#endif
