// Helpers for rewriting a node to the next version of its operator.
#ifndef OQ_OPS_LIB_UPGRADE_H
#define OQ_OPS_LIB_UPGRADE_H

#include "ops/ops.h"

// Attribute `name` (ints, or int as a list of one) becomes int64 initializer input `index`; nothing happens
// when the attribute is not there.
oq_status oq_upgrade_ints(oq_upgrade_context *context, const char *name, size_t index, oq_error *err);
// A new initializer of `count` elements (a list, or a scalar) as input `index`; its name tells the node's
// output and `name`.
oq_status oq_upgrade_add(oq_upgrade_context *context, const char *name, size_t index, oq_dtype dtype,
                         const void *values, size_t count, bool scalar, oq_error *err);
// The node becomes one of another operator, with the inputs, outputs and attributes that it has.
oq_status oq_upgrade_rename(oq_upgrade_context *context, const char *op_type, oq_error *err);

#endif
