// Float-to-float rewrites before calibration. Each keeps the model's meaning (up to float rounding where it
// says so).
#ifndef OQ_PASSES_PASSES_H
#define OQ_PASSES_PASSES_H

#include "base/hash.h"
#include "run/run.h"
#include "stats/stats.h"

// The element type of the first matrix product, convolution or recurrent layer that is not float32: float16,
// bfloat16 or double; FLOAT when there is none.
oq_dtype oq_pass_product_type(oq_graph *graph);
// Writes a main graph with its bodies that computes in the type `from` as one of float32; the model's inputs
// and outputs keep their types behind a Cast each. *changed is false, and nothing is done, for FLOAT and for
// models with sequences, optionals or functions, whose types are not followed. Wants inferred types and
// leaves them.
oq_status oq_pass_to_float32(oq_graph *graph, oq_dtype from, bool *changed, oq_error *err);
// Gemm nodes that transpose a constant which nobody else reads read its transpose instead. Leaves inferred
// types.
oq_status oq_pass_turn_weights(oq_graph *graph, oq_error *err);
// Behind that and everything else: constants of float32 that are numbers of type `to` (16-bit floats, else
// nothing is done), to the bit, become that, behind a Cast. Leaves inferred types.
oq_status oq_pass_narrow_constants(oq_graph *graph, oq_dtype to, oq_error *err);
// Replaces nodes whose inputs are all constant by initializers (results over 16 MB, and random operators, are
// left).
oq_status oq_pass_fold_constants(oq_graph *graph, oq_error *err);
// QuantizeLinear of constants alone: floats that are quantized at run time become stored integers.
oq_status oq_pass_fold_quantized(oq_graph *graph, oq_error *err);
// DequantizeLinear of constants, and what they went through before: stored integers become floats.
oq_status oq_pass_fold_dequantized(oq_graph *graph, oq_error *err);
// Products of one-hot rows (Equal of integers and 0 .. n - 1, Cast) and a constant matrix become look-ups of
// its rows. *count: how many. Wants inferred types.
oq_status oq_pass_look_up(oq_graph *graph, size_t *count, oq_error *err);
// Functions, element by element, of rows that Gather looked up in a constant table move into the table, where
// constants are to be folded. *count: how many tables. Wants inferred types.
oq_status oq_pass_functions_of_rows(oq_graph *graph, size_t *count, oq_error *err);
// Dropout, Identity, no-op Cast/Reshape/Pad of inference; keeps graph outputs' names.
oq_status oq_pass_remove_no_ops(oq_graph *graph, oq_error *err);
// BatchNormalization (and Mul, Add, Sub, Div by constants per channel) into the Conv, ConvTranspose, Gemm or
// MatMul before it.
oq_status oq_pass_fold_batch_norm(oq_graph *graph, oq_error *err);
// The same nodes into the product behind them, where that is exact (a shift does not reach padding): outside
// of regions, which are to be marked. Wants inferred types.
oq_status oq_pass_fold_batch_norm_before(oq_graph *graph, oq_error *err);
// Mul, Add, Sub and Div by constants per channel behind a product and nodes that only change its shape: to
// before those, where the pass above folds them.
oq_status oq_pass_lift_constants(oq_graph *graph, oq_error *err);
// HardSigmoid behind a product into Mul and Add, which the pass above folds, and Clip.
oq_status oq_pass_split_hard_sigmoid(oq_graph *graph, oq_error *err);
// Pad of constant zeros, on spatial axes, into the pads of the Conv behind it. A Pad that others read stays
// for them.
oq_status oq_pass_fold_pads(oq_graph *graph, oq_error *err);
// Raises ai.onnx to at least `opset`, converting every operator on the way; never lowers. ir_version is
// raised to what the opset needs.
oq_status oq_pass_upgrade_opset(oq_model *model, int64_t opset, oq_error *err);
// Marks functions written out in primitives: node->region. The kinds found are listed in `regions`.
typedef enum oq_region_kind {
    OQ_REGION_GELU,
    OQ_REGION_GELU_TANH,
    OQ_REGION_SILU,
    OQ_REGION_HARD_SWISH,
    OQ_REGION_HARD_SIGMOID,
    OQ_REGION_LAYER_NORM,
    OQ_REGION_RMS_NORM,
    OQ_REGION_SOFTMAX
} oq_region_kind;
typedef struct oq_region {
    oq_region_kind kind;
    oq_value_id input, output;
} oq_region;
typedef struct oq_regions {
    oq_region *items; // block of `mem`
    size_t count, capacity;
    oq_mem *mem;
} oq_regions;
oq_status oq_pass_find_regions(oq_graph *graph, oq_regions *out, oq_error *err);
void oq_regions_release(oq_regions *regions);
// Writes GELU by tanh and HardSwish anew in the one form that runtimes compute in one kernel or in two. Types
// are to be inferred and regions to be found again.
oq_status oq_pass_write_canonical(oq_graph *graph, const oq_regions *regions, oq_error *err);
// The input below which a function gives (nearly) 0, so that a quantized range need not reach further; -inf:
// none.
double oq_region_floor(oq_region_kind kind);

// Smoothing, after calibration. Moves outliers of single channels from the inputs of matrix products into
// their constant weights, x W = (x / s) (s W), where that lowers the expected error of 8-bit products
// clearly; 1 / s goes into the constants of x's producer, or is one Mul. Keeps the graph's meaning up to
// rounding.
typedef struct oq_smooth_options {
    const bool *chosen; // [node_count] nodes that will be quantized: others keep their inputs
    int activation_bits, weight_bits;
    bool per_channel; // of the weights
} oq_smooth_options;
// The axes along which calibration keeps ranges per channel for it: `axis` [value_count] is overwritten.
void oq_smooth_axes(oq_graph *graph, int *axis);
// `stats` are of this graph with those axes; values that arise get entries of their own, existing entries
// stay. *count: the inputs smoothed. Types are to be inferred again when it is not 0.
oq_status oq_pass_smooth(oq_graph *graph, const oq_smooth_options *options, oq_stats *stats, size_t *count,
                         oq_error *err);

// Cross-layer equalization, after calibration. Divides channels of values that lie between Conv,
// ConvTranspose and Gemm nodes, through functions f(x / s) = f(x) / s (and Clips that a channel never
// reaches), and multiplies the weights behind them, where that lowers the expected error of products whose
// weights have one scale for all channels, or else of values that depthwise convolutions alone read. Keeps
// the graph's meaning up to rounding.
typedef struct oq_equalize_options {
    const bool *chosen; // [node_count] nodes that will be quantized
    int activation_bits, weight_bits;
    bool per_channel; // of the weights
    bool split_rows;  // rows will be split by size: values that go through a Clip stay as they are
} oq_equalize_options;
// The axes along which calibration keeps ranges per channel for it, in `axis` [value_count] where that says
// -1.
void oq_equalize_axes(oq_graph *graph, int *axis);
// `stats` are of this graph with those axes; values that change get new names and entries of their own.
// *count: groups of values that were rescaled.
oq_status oq_pass_equalize(oq_graph *graph, const oq_equalize_options *options, oq_stats *stats,
                           size_t *count, oq_error *err);

// Transposed convolutions, after calibration. Those of `chosen` [node_count] that can (ops/lib/sub_pixel.h)
// become convolutions that give all places between as channels, and moves of these; exact up to the order of
// sums. Values that arise get entries in `stats` like that of the result. *count: how many. Wants inferred
// types; they are to be inferred again when it is not 0.
oq_status oq_pass_sub_pixel(oq_graph *graph, const bool *chosen, oq_stats *stats, size_t *count,
                            oq_error *err);

// PRelu of constant slopes, none below 0 or none beyond 1, after calibration. Where convolutions of `chosen`
// [node_count] and sums alone stand around it, it becomes LeakyRelu (one slope), or two depthwise
// convolutions, a Relu and a sum; exact up to rounding. Values that arise get ranges in `stats`. *count: how
// many. Wants inferred types; they are to be inferred again when it is not 0.
oq_status oq_pass_slopes(oq_graph *graph, const bool *chosen, oq_stats *stats, size_t *count, oq_error *err);

// Splitting, after calibration and equalization, for weights with one scale a tensor. A convolution whose
// rows differ in size becomes a few, each of rows of about one size, together with the channelwise nodes and
// depthwise convolutions behind it; a Concat joins them in front of the one convolution that reads them,
// whose weights take up the new order of channels. Where their outputs are summed up, pooled or read more
// than once, all layers around these values do. Done where the expected error of the weights, as a share of
// what the readers give, falls by what a node more is worth; exact.
typedef struct oq_split_rows_options {
    const bool *chosen; // [node_count] nodes that will be quantized
    size_t node_count;  // of the graph before
    int weight_bits;
} oq_split_rows_options;
// Parts of values get entries in `stats` like that of the whole value: they keep one range. *count: the
// convolutions that were split. Types are to be inferred again when it is not 0.
oq_status oq_pass_split_rows(oq_graph *graph, const oq_split_rows_options *options, oq_stats *stats,
                             size_t *count, oq_error *err);

// Exact input grids, after calibration. Inputs of convolutions that are really integers, scaled and shifted
// by channel before they came (pixels), become those integers again: one Mul and one Add, whose inverse goes
// into the convolution's weights and bias, with float padding before them. Where one scale serves all
// channels, and 0 is one of the integers, the range alone is set. Keeps the graph's meaning up to rounding.
typedef struct oq_input_grid_options {
    const bool *chosen; // [node_count] nodes that will be quantized
    int weight_bits;
    bool per_channel; // of the weights
} oq_input_grid_options;
// Marks the values that calibration counts levels of for it, in `levels` [value_count] (overwritten), and
// gives them their `axis` where that says -1.
void oq_input_grid_watch(oq_graph *graph, int *axis, bool *levels);
// `stats` are of this graph with those levels; values that arise get entries of their own, and a range that
// is set replaces the entry's. *count: the inputs of convolutions that are exact now. Types are to be
// inferred again when it is not 0.
oq_status oq_pass_input_grid(oq_graph *graph, const oq_input_grid_options *options, oq_stats *stats,
                             size_t *count, oq_error *err);

// Those before calibration in their order: what calibration and quantization work on.
oq_status oq_prepare_model(oq_model *model, oq_regions *regions, oq_error *err);
// Hash of the prepared graph (structure, attributes, constants): the key of statistics.
oq_status oq_graph_hash(const oq_graph *graph, oq_hash *out, oq_error *err);

#endif
