// Helpers for rewriting a node to the next version of its operator.
#ifndef OQ_OPS_LIB_UPGRADE_H
#define OQ_OPS_LIB_UPGRADE_H

#include "ops/ops.h"

// Attribute `name` (ints, or int as a list of one) becomes int64 initializer input `index`; nothing happens
// when the attribute is not there.
oq_status oq_upgrade_ints(oq_upgrade_context *context, const char *name, size_t index, oq_error *err);
// A new float32 initializer of one dimension (or of rank 0 when `scalar`) as input `index`.
oq_status oq_upgrade_add_floats(oq_upgrade_context *context, const char *name, size_t index,
                                const float *values, size_t count, bool scalar, oq_error *err);
oq_status oq_upgrade_add_ints(oq_upgrade_context *context, const char *name, size_t index,
                              const int64_t *values, size_t count, oq_error *err);
// The legacy attribute consumed_inputs goes.
oq_status oq_upgrade_drop_consumed(oq_upgrade_context *context, oq_error *err);
// The node becomes one of another operator, with the inputs, outputs and attributes that it has.
oq_status oq_upgrade_rename(oq_upgrade_context *context, const char *op_type, oq_error *err);

#endif
