// A rule: how nodes of one operator are quantized. src/quant/rules/<Name>.c exports one `const oq_rule
// oq_rule_<Name>`.
#ifndef OQ_QUANT_RULE_H
#define OQ_QUANT_RULE_H

#include "quant/quant.h"

// An operator without rule is a barrier: its inputs are dequantized, its outputs quantized again where
// needed.
typedef enum oq_rule_kind {
    OQ_RULE_COMPUTE,     // a product of two operands that integer kernels compute
    OQ_RULE_PASSTHROUGH, // moves or selects elements: runs on the integers, output shares the input's
                         // parameters
    OQ_RULE_ELEMENTWISE, // a function of integers whose output has parameters of its own, between
                         // DequantizeLinear and QuantizeLinear in both formats: where integers come in and
                         // are wanted
    OQ_RULE_FLOAT        // has no integer form; its weights can be stored as integers (storage.h)
} oq_rule_kind;

typedef struct oq_weight oq_weight;

// One factor of a product.
typedef struct oq_operand {
    oq_value_id value;
    const oq_constant *constant; // NULL: an activation
    bool transposed;             // the last two axes are swapped before use (Gemm)
    bool channels;               // a constant whose output channels may have parameters of their own
    oq_weight *weight;           // of a constant, once it is quantized
} oq_operand;

typedef enum oq_layer_shape { OQ_LAYER_MATRIX, OQ_LAYER_CONV } oq_layer_shape;
#define OQ_NO_TRANSPOSED_CONVOLUTION "ONNX has no integer transposed convolution"
enum { OQ_LINE_POINTS = -1 }; // in place of an axis: all of them, by a kernel of one element

// A node with a compute rule, in one form for all of them: output = alpha * (operand 0 x operand 1) + addend,
// then clamped to [low, high].
typedef struct oq_layer {
    oq_layer_shape shape;
    oq_node_id node;
    oq_operand operand[2];
    double alpha;
    oq_value_id addend; // C of Gemm, B of Conv, the constant added behind a MatMul; or OQ_NONE
    double beta;        // factor of the addend
    bool vector;        // the addend is constant, one value per output channel: `bias` holds beta times it
    float *bias;        // [bias_count], arena of the plan
    size_t bias_count;
    // What stands behind the product and goes with it, set by the planner.
    oq_node_id bias_node, clip_node;  // Add; Relu or Clip; or OQ_NONE
    double low, high;                 // bounds of the clip, or -inf, inf
    oq_value_id product, sum, output; // of the node itself, behind bias_node, behind clip_node
    int weight_bits, activation_bits; // asked for: of a constant operand, of operands that are activations
    bool wide;                        // beyond 8-bit kernels: a float operator between Q/DQ in any format
    bool integer;                     // the output is written as integers (else as float)
    bool integer_bias;                // the bias is carried as int32 with scale s_0 * s_1
    int line;                         // CONV: the only axis of its input that it moves along, when it can be
                                      // written as a matrix product over slices (emit_line.c); else 0, or
                                      // OQ_LINE_POINTS
    bool transposed;                  // CONV: a ConvTranspose that can become a convolution, until it has
    bool point; // CONV: a kernel of one element that reads each place once, a matrix product over all of them
    bool pairs; // sums of two neighbouring products are bounded for the target
    size_t narrowed;               // output channels with a larger scale for the target (pairs.c)
    const char *dropped;           // why the layer stays float after all, or NULL
    const struct oq_layer *before; // as it was planned, once it was edited (edit.h), else NULL
} oq_layer;

// A constant that a node multiplies with, by its axes; -1: there is none.
typedef struct oq_weight_axes {
    int channel, reduction; // of output channels; of the sum
    // The axes besides these two are part of the sum too (kernels of convolutions); else each of their
    // indices is a matrix of its own.
    bool taps;
    bool rows; // a table of which the node takes some rows, those of axis 0
} oq_weight_axes;

typedef struct oq_rule {
    const char *op_type; // of ai.onnx
    oq_rule_kind kind;
    // COMPUTE. Describes the node, or sets *reason when it must stay float. `arena` holds what the layer
    // points at.
    oq_status (*describe)(oq_graph *graph, const oq_node *node, oq_arena *arena, oq_layer *out,
                          const char **reason, oq_error *err);
    // PASSTHROUGH and ELEMENTWISE.
    bool all_inputs; // every input carries data (Concat); else input 0
    bool early; // quantizing before it costs no accuracy and fewer bytes move: pull QuantizeLinear up across
                // it
    // True when this node moves elements unchanged. NULL: always.
    bool (*moves)(oq_graph *graph, const oq_node *node);
    // The output's axis that holds, index by index, what `axis` of the data holds; -1: none for certain.
    // NULL: never known.
    int (*axis_behind)(oq_graph *graph, const oq_node *node, int axis);
    // Inputs besides the data that must change with the type: Pad's value. NULL: none.
    oq_status (*adapt)(oq_graph *graph, oq_node *node, const oq_tensor_plan *tensor, oq_error *err);
    // Any kind: the axes of input `index` when that, of this shape, is a weight; else false. NULL: no input
    // is.
    bool (*weight_axes)(const oq_node *node, size_t index, const oq_shape *shape, oq_weight_axes *out);
    // ELEMENTWISE.
    bool scalars;                                       // one operand may be a constant of one element
    bool (*fits)(oq_graph *graph, const oq_node *node); // whether it is computed on integers; NULL: always
    // The output is (x + addend) * factor, clipped to the bounds that the integers have in any case: runtimes
    // fuse that Add, but not the operator. NULL: written as it is.
    void (*shift)(const oq_node *node, double *addend, double *factor);
} oq_rule;

extern const oq_rule *const oq_rule_table[]; // generated; ended by NULL

// The rule of a node (operators of ai.onnx), or NULL.
const oq_rule *oq_rule_find(const oq_node *node);

// True when the node's operator, at the model's opset, takes elements of `dtype` as its first input.
bool oq_rule_carries(const oq_model *model, const oq_node *node, oq_dtype dtype);

// --- helpers that rules share ---
// A layer with two operands, nothing else.
oq_layer oq_layer_make(oq_layer_shape shape, const oq_node *node);
// Operand from input `index`; false when the input is left out.
bool oq_operand_take(oq_graph *graph, const oq_node *node, size_t index, oq_operand *out);
// Loads an addend as one float per channel times beta: constants of one element or whose only dimension above
// 1 is number `axis` counted from the end. `channels` 0: taken from the constant. Leaves layer->vector false
// when it is not of that form.
oq_status oq_layer_take_bias(oq_graph *graph, oq_arena *arena, oq_layer *layer, int64_t channels,
                             oq_error *err);
// axis_behind of operators that keep the elements in row-major order and only change the shape.
int oq_axis_reshaped(oq_graph *graph, const oq_node *node, int axis);
// W [directions, gates * H, inputs] and R [directions, gates * H, H] of LSTM, GRU and RNN.
bool oq_recurrent_weight_axes(const oq_node *node, size_t index, const oq_shape *shape, oq_weight_axes *out);
// x g(x), with g Sigmoid or HardSigmoid of x itself: HardSwish and SiLU. The Mul, and its g.
bool oq_rule_is_gated(oq_graph *graph, const oq_node *mul);
bool oq_rule_is_gate(oq_graph *graph, const oq_node *gate);
// The bounds of a Relu or Clip; false when it is neither, or they are computed at run time.
bool oq_node_clip_bounds(oq_graph *graph, const oq_node *node, double *low, double *high);
// The element type of a value as far as inference or its constant tell, or UNDEFINED.
oq_dtype oq_value_dtype(oq_graph *graph, oq_value_id value);

#endif
