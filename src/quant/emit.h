// What both emitters share: integer values and their parameters as graph objects.
#ifndef OQ_QUANT_EMIT_H
#define OQ_QUANT_EMIT_H

#include "grid/layout.h"
#include "quant/plan.h"

// The objects of one quantized constant; OQ_NONE until they are needed.
typedef struct oq_emitted_weight {
    oq_value_id stored; // the initializer
    oq_value_id q;      // byte-wide: behind a Cast where 4- or 2-bit integers are stored
    oq_value_id scale, zero, dequantized;
    int64_t more_rows, more_columns; // zero channels that channels.c adds: of the output, of the input
} oq_emitted_weight;
#define OQ_EMITTED_WEIGHT_NONE ((oq_emitted_weight){OQ_NONE, OQ_NONE, OQ_NONE, OQ_NONE, OQ_NONE, 0, 0})

typedef struct oq_emitter {
    const oq_plan *plan;
    oq_graph *graph;
    oq_value_id *quantized;    // [value_count] the integers of a value
    oq_value_id *dequantized;  // [value_count] qdq: float again, of values that are produced as float
    oq_value_id *scale, *zero; // [value_count] by leader
    oq_value_id *channel_scale, *channel_zero; // [value_count] by leader, where they are per channel
    // emit_scales.c: [value_count] by leader, alone and as a piece of one vector; the leaders of its pieces.
    oq_value_id *scale_made, one, *scale_joined, *joined;
    size_t joined_count;
    bool *replaced;             // [value_count] no longer produced as float
    oq_value_id clip[9][2];     // by width: least and greatest integer of activations; OQ_NONE until needed
    oq_emitted_weight *weights; // [weight_count]
    int64_t *more;              // [value_count] zero channels beside a value's own
    oq_range *clips; // [value_count] bounds of the clip that what makes a value took in; 0, 0: none
    size_t layer;    // that is being written
    oq_emitted_weight *written; // [layer_count] the weights of each
} oq_emitter;

// clips.c: which clips saturation does the work of; then, into the model's metadata, by the names of the
// integers.
oq_status oq_emit_find_clips(oq_emitter *e, oq_arena *arena, oq_error *err);
oq_status oq_emit_note_clips(const oq_emitter *e, oq_error *err);
// sizes.c: how many bytes each layer's weights took and take, once all is written and swept.
oq_status oq_emit_note_sizes(const oq_emitter *e, oq_arena *arena, oq_error *err);

// channels.c: which values get zero channels. Fills `more` and the weights' shares of it, and the types of
// the graph's values.
oq_status oq_emit_find_channels(oq_emitter *e, oq_arena *arena, oq_error *err);
// A weight's shape and integers with them.
oq_shape oq_emitted_shape(const oq_weight *weight, const oq_emitted_weight *own);
oq_status oq_emit_widened(oq_emitter *e, const oq_weight *weight, const oq_emitted_weight *own,
                          oq_tensor *out, oq_error *err);
// Zero channels that the layer's convolution reads and its input does not have, and the Pad that adds them:
// *q is the input's integers, then those with the channels.
int64_t oq_emit_padded_channels(const oq_emitter *e, const oq_layer *layer);
oq_status oq_emit_channel_pad(oq_emitter *e, const oq_layer *layer, oq_value_id *q, oq_error *err);
// Output channels of a layer with a bias.
static inline size_t oq_emit_outputs(const oq_emitter *e, const oq_layer *layer) {
    return layer->bias_count + (size_t)e->more[layer->output];
}
// The attributes of a layer's Conv, to the letter, but for the number of groups where that grew.
oq_status oq_emit_conv_attributes(oq_emitter *e, const oq_layer *layer, oq_node *to, oq_error *err);

// emit_elementwise.c: an elementwise node on integers.
oq_status oq_emit_elementwise(oq_emitter *e, oq_node *node, oq_error *err);

// --- values and nodes ---
// New value `<base><suffix>` with the type of `like` but another element type.
oq_status oq_emit_value(oq_emitter *e, oq_value_id like, const char *suffix, oq_dtype dtype, oq_value_id *out,
                        oq_error *err);
// New value `<base><suffix>` of a known shape.
oq_status oq_emit_shaped(oq_emitter *e, oq_value_id base, const char *suffix, oq_dtype dtype,
                         const oq_shape *shape, oq_value_id *out, oq_error *err);
oq_status oq_emit_node(oq_emitter *e, const char *name, const char *op_type, const oq_value_id *inputs,
                       size_t count, oq_value_id output, oq_node **out, oq_error *err);
// Initializers `<base><suffix>`: float32 numbers, and integers of a carrier. `rank` 0: one element.
oq_status oq_emit_floats(oq_emitter *e, oq_value_id base, const char *suffix, const float *numbers,
                         const oq_shape *shape, oq_value_id *out, oq_error *err);
oq_status oq_emit_integers(oq_emitter *e, oq_value_id base, const char *suffix, oq_dtype dtype,
                           const int64_t *numbers, const oq_shape *shape, oq_value_id *out, oq_error *err);

// --- quantized values ---
oq_status oq_emit_params(oq_emitter *e, oq_value_id value, oq_value_id *scale, oq_value_id *zero,
                         oq_error *err);
// The integers of a float value: made by QuantizeLinear when nobody makes them otherwise.
oq_status oq_emit_quantized(oq_emitter *e, oq_value_id value, oq_value_id *out, oq_error *err);
// A new value that is to be produced as the integers of `value`, which loses its float producer.
oq_status oq_emit_replace(oq_emitter *e, oq_value_id value, oq_value_id *out, oq_error *err);
// The same for a producer that saturates at the carrier: a Clip to the grid follows where that is narrower.
oq_status oq_emit_produced(oq_emitter *e, oq_value_id value, oq_value_id *out, oq_error *err);
// QuantizeLinear from `from` to the integers of `value` (which is replaced).
oq_status oq_emit_requantized(oq_emitter *e, oq_value_id from, oq_value_id value, oq_error *err);
// qdq: the value behind QuantizeLinear and DequantizeLinear.
oq_status oq_emit_dequantized(oq_emitter *e, oq_value_id value, oq_value_id *out, oq_error *err);

// --- operands ---
// Integers, scale and zero point of a constant.
oq_status oq_emit_weight(oq_emitter *e, const oq_weight *weight, oq_emitted_weight **out, oq_error *err);
// The same from integers in another order (a reference that is taken over, also on failure), as objects of
// their own.
oq_status oq_emit_weight_integers(oq_emitter *e, const oq_weight *weight, oq_tensor integers,
                                  oq_emitted_weight *out, oq_error *err);
// Shape of a weight's parameters: one, one per output of a single axis, or [D1, .., 1, N] for a stack of
// matrices.
oq_shape oq_weight_params_shape(const oq_weight *w);
// Integers of an operand, transposed as the layer wants them.
oq_status oq_emit_operand(oq_emitter *e, const oq_layer *layer, int index, oq_value_id *out, oq_error *err);
oq_status oq_emit_operand_params(oq_emitter *e, const oq_operand *operand, oq_value_id *scale,
                                 oq_value_id *zero, oq_error *err);
// DequantizeLinear of `in`: integers, scales, zero points or OQ_NONE.
oq_status oq_emit_dequantize(oq_emitter *e, const oq_granularity *granularity, const oq_value_id in[3],
                             oq_value_id out, oq_error *err);
// Zero point of a factor of MatMulInteger or ConvInteger; OQ_NONE for weights whose zero points are all 0.
oq_status oq_emit_zero(oq_emitter *e, const oq_operand *operand, oq_value_id *out, oq_error *err);
// emit_scales.c: the product of an activation's scale and that of weights, shaped as the latter, named after
// `product`: a node of its own that runtimes do not fold. ONNX Runtime joins MatMulInteger, Cast, Mul and Add
// to one kernel only where the scales' product is made by a Mul, and folds every constant but what
// DequantizeLinear makes; so the activation's scale is the integer 1, dequantized. It copies DequantizeLinear
// for each reader, so that one makes all these scales, and a Split takes them apart.
oq_status oq_emit_product_scale(oq_emitter *e, oq_value_id activation, oq_value_id weight_scale,
                                oq_value_id product, oq_value_id *out, oq_error *err);
oq_status oq_emit_joined_scales(oq_emitter *e, oq_error *err); // behind the last of them
// int32 bias and, when asked for, its scale (products of the operands' scales, one or one per channel).
oq_status oq_emit_bias(oq_emitter *e, const oq_layer *layer, oq_value_id *bias, oq_value_id *scale,
                       oq_error *err);
// beta times the addend as a float value.
oq_status oq_emit_addend(oq_emitter *e, const oq_layer *layer, oq_value_id *out, oq_error *err);
// Takes the layer's float nodes out of the graph. The operators' attributes stay readable.
void oq_emit_remove(oq_emitter *e, const oq_layer *layer);

// --- the two formats ---
// In either: a convolution along one axis with float output.
oq_status oq_emit_line(oq_emitter *e, const oq_layer *layer, oq_error *err);
oq_status oq_emit_qoperator(oq_emitter *e, const oq_layer *layer, oq_error *err);
oq_status oq_emit_qdq(oq_emitter *e, const oq_layer *layer, oq_error *err);
// --- and the one of dynamic mode ---
oq_status oq_emit_dynamic(oq_emitter *e, const oq_layer *layer, oq_error *err);

#endif
