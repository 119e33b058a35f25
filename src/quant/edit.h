// What may still change between oq_plan_make and oq_plan_emit: biases and weights of products, by whoever has
// looked at data. Every change is undone by oq_plan_revert.
#ifndef OQ_QUANT_EDIT_H
#define OQ_QUANT_EDIT_H

#include "quant/rule.h"

// --- look ---
size_t oq_plan_layer_count(const oq_plan *plan);
// The product number `index`, or NULL when it stays float after all.
const oq_layer *oq_plan_layer(const oq_plan *plan, size_t index);
// The layer that computes a node or has taken it in (bias, clip), or -1.
int32_t oq_plan_layer_of(const oq_plan *plan, oq_node_id node);
// True when a passthrough or elementwise node runs on integers.
bool oq_plan_moves(const oq_plan *plan, oq_node_id node);
// The elementwise node on integers whose output's grid stands for this Relu or Clip, or OQ_NONE.
oq_node_id oq_plan_clip_source(const oq_plan *plan, oq_node_id node);
// True when a value is produced as integers: all that read it get what the grid left of it.
bool oq_plan_made_integer(const oq_plan *plan, oq_value_id value);
// True when this use of a value takes it as integers.
bool oq_plan_integer_use(const oq_plan *plan, oq_use use);
// What the integers of the layer's constant operand mean, as the node's own input: its shape, alpha taken out
// again. One new reference.
oq_status oq_plan_dequantized(const oq_plan *plan, const oq_layer *layer, int operand, oq_tensor *out,
                              oq_error *err);

// A constant operand as a matrix: row o holds the factors of output channel o, [outputs, depth], in the order
// in which the node's input meets them (of a convolution: channel of the group, then kernel position).
typedef struct oq_weight_rows {
    int operand; // of the layer
    size_t outputs, depth;
    oq_grid grid;
    float *w;          // [outputs, depth] what it is in the float model, alpha folded in
    int32_t *q;        // [outputs, depth] its integers
    size_t group;      // neighbours along depth that share a parameter; depth: one a row
    oq_qparam *params; // [outputs, ceil(depth / group)]
    bool own_scales;   // each row has one, which may change
    bool coarse;       // steps are wide: rows share a scale, or have fewer than 8 bits
    // Where the target adds two products in 16 bits: partner[k] are the elements of its row that element k
    // may be added with (k: none), and two of one sign sum up to pair_limit at most. NULL: any integers go.
    size_t (*partner)[2]; // [depth]
    int32_t pair_limit;
    oq_mem *mem;
} oq_weight_rows;

// False, with a reason, when the layer has no such matrix: no constant operand, or a stack of matrices.
bool oq_plan_has_rows(const oq_layer *layer, const char **reason);
// True when the layer's constant operand is one such matrix, whether or not it may be changed, and its rows
// are the channels that the layer's bias has numbers for.
bool oq_plan_rows_are_channels(const oq_layer *layer);
// Neighbours along a sum that share a parameter of that matrix; 0: all of a sum do.
size_t oq_plan_group(const oq_layer *layer);
// Steps of weights are wide: layers have one scale a tensor, or fewer than 8 bits.
bool oq_plan_is_coarse(const oq_plan *plan);
oq_status oq_plan_take_rows(const oq_plan *plan, const oq_layer *layer, oq_weight_rows *out, oq_error *err);
void oq_weight_rows_release(oq_weight_rows *rows);

// What was added to the bias of each of the [oq_plan_bias_count] channels so far.
void oq_plan_bias_shift(const oq_plan *plan, const oq_layer *layer, float *shift);

// --- change ---
// How many output channels have a bias that costs nothing to change (a layer gets one when it has none and
// the format has room for it); 0: none.
size_t oq_plan_bias_count(const oq_plan *plan, const oq_layer *layer);
// Adds shift[c] to the bias of channel c of [oq_plan_bias_count]; shift[c] becomes 0 where the sum would not
// fit beside the int32 accumulator, and what float32 made of it elsewhere.
oq_status oq_plan_shift_bias(oq_plan *plan, size_t layer, float *shift, oq_error *err);
// Gives the layer alone the integers rows->q, which lie in the grid, and with own scales these. A row whose
// sums would not fit into the int32 accumulator keeps what it had, and rows->q says so.
oq_status oq_plan_set_rows(oq_plan *plan, size_t layer, oq_weight_rows *rows, oq_error *err);
// All layers as oq_plan_make left them.
void oq_plan_revert(oq_plan *plan);

#endif
