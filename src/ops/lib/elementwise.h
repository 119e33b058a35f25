// Shape inference and upgrades that the elementwise families share.
#ifndef OQ_OPS_LIB_ELEMENTWISE_H
#define OQ_OPS_LIB_ELEMENTWISE_H

#include "ops/ops.h"

// --- inference, each usable as `infer` of a version ---
oq_status oq_infer_unary(oq_infer_context *context, oq_error *err); // output 0 has the type of input 0
oq_status oq_infer_test(oq_infer_context *context, oq_error *err);  // its shape, elements bool
// Output 0 has the element type of input 0 (bool for a relation) and the broadcast shape of all inputs;
// before opset 7 the shape of input 0 (before opset 8 for more than two inputs as well).
oq_status oq_infer_binary(oq_infer_context *context, oq_error *err);
oq_status oq_infer_relation(oq_infer_context *context, oq_error *err);
oq_status oq_infer_variadic(oq_infer_context *context, oq_error *err);
// The broadcast shape of the inputs [first, input_count) with elements of `dtype` as output 0.
oq_status oq_infer_broadcast(oq_infer_context *context, size_t first, oq_dtype dtype, oq_error *err);

// One dimension after broadcasting two; false when they contradict each other.
bool oq_dim_broadcast(oq_dim a, oq_dim b, oq_dim *out);

// How an operator computes with dimensions; returns false when nothing can be said.
typedef bool (*oq_dim_rule)(oq_dim a, oq_dim b, oq_dim *out);
// Output elements from the input elements where those are known as dimensions (Shape arithmetic): a rule
// over input 0 and 1, or a copy of input 0.
oq_status oq_infer_dims(oq_infer_context *context, oq_dim_rule rule, oq_error *err);
oq_status oq_infer_same_dims(oq_infer_context *context, oq_error *err);
// oq_infer_unary with oq_infer_same_dims (Identity, ...).
oq_status oq_infer_copy(oq_infer_context *context, oq_error *err);

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
