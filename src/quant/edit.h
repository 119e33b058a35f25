// What may still change between oq_plan_make and oq_plan_emit: biases of products, by whoever has looked at
// data. Every change is undone by oq_plan_revert.
#ifndef OQ_QUANT_EDIT_H
#define OQ_QUANT_EDIT_H

#include "quant/rule.h"

// --- look ---
size_t oq_plan_layer_count(const oq_plan *plan);
// The product number `index`, or NULL when it stays float after all.
const oq_layer *oq_plan_layer(const oq_plan *plan, size_t index);
// The layer that computes a node or has taken it in (bias, clip), or -1.
int32_t oq_plan_layer_of(const oq_plan *plan, oq_node_id node);
// True when a passthrough node runs on integers.
bool oq_plan_moves(const oq_plan *plan, oq_node_id node);
// True when a value is produced as integers: all that read it get what the grid left of it.
bool oq_plan_made_integer(const oq_plan *plan, oq_value_id value);
// True when this use of a value takes it as integers.
bool oq_plan_integer_use(const oq_plan *plan, oq_use use);
// What the integers of the layer's constant operand mean, as the node's own input: its shape, alpha taken out
// again. One new reference.
oq_status oq_plan_dequantized(const oq_plan *plan, const oq_layer *layer, int operand, oq_tensor *out,
                              oq_error *err);

// --- change ---
// How many output channels have a bias that costs nothing to change (a convolution gets one when it has
// none); 0: none.
size_t oq_plan_bias_count(const oq_plan *plan, const oq_layer *layer);
// Adds shift[c] to the bias of channel c of [oq_plan_bias_count]; shift[c] becomes 0 where the sum would not
// fit beside the int32 accumulator, and what float32 made of it elsewhere.
oq_status oq_plan_shift_bias(oq_plan *plan, size_t layer, float *shift, oq_error *err);
// All layers as oq_plan_make left them.
void oq_plan_revert(oq_plan *plan);

#endif
