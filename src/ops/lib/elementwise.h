// Upgrades of old forms, and inference, that the elementwise families share beside lib/infer.h.
#ifndef OQ_OPS_LIB_ELEMENTWISE_H
#define OQ_OPS_LIB_ELEMENTWISE_H

#include "ops/lib/infer.h"

// --- inference, usable as `infer` of a version, beside those of lib/infer.h ---
oq_status oq_infer_test(oq_infer_context *context, oq_error *err); // shape of input 0, elements bool

// --- upgrades, each usable as `upgrade` of a version ---
// Opset 6 dropped the attribute consumed_inputs.
oq_status oq_upgrade_consumed(oq_upgrade_context *context, oq_error *err);
// Opset 7 replaced the attributes broadcast and axis by numpy's rule: input 1 gets a Reshape where it was
// aligned further left.
oq_status oq_upgrade_broadcast(oq_upgrade_context *context, oq_error *err);

// Inserts Reshape(input `index`, 0 x rank, 1 x `ones`) before the node: axes of size 1 at the end.
oq_status oq_upgrade_append_ones(oq_upgrade_context *context, size_t index, int rank, int ones,
                                 oq_error *err);
// A new initializer holding int64 values (rank 1), or one number of `dtype` (rank 0), as input `index`.
oq_status oq_upgrade_ints_input(oq_upgrade_context *context, size_t index, const char *name,
                                const int64_t *values, size_t count, oq_error *err);
oq_status oq_upgrade_number_input(oq_upgrade_context *context, size_t index, const char *name, oq_dtype dtype,
                                  float value, oq_error *err);
// A new node of ai.onnx with one output of a fresh name derived from the upgraded node's output.
oq_status oq_upgrade_new_node(oq_upgrade_context *context, const char *op_type, const oq_value_id *inputs,
                              size_t input_count, const char *suffix, oq_node **out, oq_error *err);
// The upgraded node writes its output 0 under a fresh name; *out (NULL inputs: to be set) takes the old
// value over as its own output: `node -> fresh -> new node -> old value`.
oq_status oq_upgrade_follow(oq_upgrade_context *context, const char *op_type, oq_value_id second,
                            oq_node **out, oq_error *err);

#endif
