// Operators that give the same elements another shape: nothing moves.
#ifndef OQ_OPS_LIB_VIEW_H
#define OQ_OPS_LIB_VIEW_H

#include "ops/lib/lists.h"
#include "ops/lib/schema.h"

// Followed elements of input 0 stay those of output 0 when that is a list or one number.
void oq_infer_pass_elements(oq_infer_context *context);

#endif
