// The plan's inside, shared by the planner's files and the emitters.
#ifndef OQ_QUANT_PLAN_H
#define OQ_QUANT_PLAN_H

#include "quant/bounds.h"
#include "quant/edit.h"

// A constant operand as integers, in the layout in which the emitters write it ([K, N] for matrices, whatever
// transB was). Element (b, r, c) of [blocks, rows, columns] goes into output channel b * step[0] + r *
// step[1] + c * step[2].
struct oq_weight {
    oq_value_id value; // the float constant
    bool transposed;
    double alpha; // folded in
    oq_grid grid;
    oq_dtype carrier;
    oq_shape shape;
    int64_t blocks, rows, columns, step[3];
    size_t outputs;   // output channels
    bool per_channel; // one parameter per output channel, else one for all
    size_t group; // neighbours along the sum with a parameter of their own (then blocks is 1); 0: all of it
    oq_qparam *params;   // [oq_weight_params], numbered in the row-major order of their blocks
    oq_tensor q;         // carrier, `shape`
    int64_t *reach;      // [outputs] sum of |q - zp|: the largest accumulator per unit of |activation|
    bool own;            // belongs to one layer alone: a scale was raised for its bias, or `factor` is set
    bool common;         // belongs to several layers, so that none of them may change it
    oq_value_id written; // the initializer in the graph that was written last, or OQ_NONE
    size_t stored;       // storage_plan.c: which of the storage's items it is
    float *factor;       // [outputs] what each output channel is multiplied by beside its scale, or NULL: the
                         // output's parameters per channel (spread.c)
    int axis; // of the parameters when they are one vector along one axis, or of the groups; else -1
};

// Length of the sums.
static inline size_t oq_weight_depth(const oq_weight *weight) {
    return (size_t)(weight->step[1] ? weight->columns : weight->rows);
}
// Parameters of one output channel.
static inline size_t oq_weight_groups(const oq_weight *weight) {
    return weight->group ? (oq_weight_depth(weight) + weight->group - 1) / weight->group : 1;
}
static inline size_t oq_weight_params(const oq_weight *weight) {
    return (weight->per_channel ? weight->outputs : 1) * oq_weight_groups(weight);
}
static inline oq_qparam oq_weight_param(const oq_weight *weight, size_t output) {
    return weight->params[weight->per_channel ? output : 0];
}
// Of element k of an output channel's sum.
static inline oq_qparam oq_weight_param_at(const oq_weight *weight, size_t output, size_t k) {
    if (!weight->group) return oq_weight_param(weight, output);
    const size_t group = k / weight->group;
    return weight->params[weight->step[1] ? output * oq_weight_groups(weight) + group
                                          : group * weight->outputs + output];
}

// The scale that is written.
static inline float oq_weight_scale(const oq_weight *weight, size_t param) {
    return weight->params[param].scale * (weight->factor ? weight->factor[param] : 1.0f);
}

// One of its integers, in row-major order.
static inline int32_t oq_weight_at(const oq_weight *weight, size_t index) {
    switch (weight->carrier) {
    case ONNXQ_INT16: return ((const int16_t *)weight->q.data)[index];
    case ONNXQ_UINT16: return ((const uint16_t *)weight->q.data)[index];
    default:
        return weight->grid.is_signed ? ((const int8_t *)weight->q.data)[index]
                                      : ((const uint8_t *)weight->q.data)[index];
    }
}

// A convolution that is written as a matrix product over slices of its input.
static inline bool oq_layer_is_line(const oq_layer *layer) {
    return layer->line && !layer->integer && !layer->wide;
}

struct oq_plan {
    oq_mem *mem;
    oq_arena arena;
    oq_graph *graph;
    const oq_stats *stats; // during oq_plan_make
    oq_quant_options options;
    size_t value_count, node_count;
    oq_node_id *order; // block of mem
    size_t order_count;
    oq_tensor_plan *tensors; // [value_count]
    oq_node_plan *nodes;     // [node_count]
    const oq_rule **rules;   // [node_count] NULL: no rule, or not for this node
    int32_t *layer_of;       // [node_count] index of the layer, or -1
    int32_t *producer_layer; // [value_count] layer whose output it is, or -1
    oq_bound *bounds;        // [value_count] what values cannot leave; NULL where samples tell more
    size_t bounded_count;    // groups of values whose parameters come from these
    bool *integer;           // [value_count] carried as integers
    oq_value_id *leader;     // [value_count] union-find: values that share parameters
    int *bits;       // [value_count] of leaders: the most that a layer asks of the group; 0: none does
    oq_range *range; // [value_count] of leaders: what the parameters cover
    bool *tail;      // [value_count] no layer reads it, nor anything that is computed from it
    bool *moving;    // [node_count] passthrough node that runs on integers
    const oq_rule **elementwise; // [node_count] rule of a node that may compute on integers, or NULL
    bool *computing;             // [node_count] such a node that does
    // [node_count] of such a node, the Relu or Clip behind it that its output's grid stands for; of that Relu
    // or Clip, the node; else OQ_NONE
    oq_node_id *clip_of, *clips;
    // [value_count] of the result of an elementwise node, the value whose integers it takes over; or OQ_NONE
    oq_value_id *alias;
    oq_layer *layers;
    size_t layer_count, layer_capacity;
    oq_weight **weights;
    size_t weight_count, weight_capacity;
    oq_value_id *missing; // block of mem: values that layers were dropped for, as no range is known of them
    size_t missing_count, missing_capacity;
    oq_inner_node *inner;
    size_t inner_count, inner_capacity;
};

// plan.c: one without layers and decisions. Free also after a failure; NULL when there is no memory for it.
oq_status oq_plan_open(oq_graph *graph, const oq_quant_options *options, oq_plan **out, oq_error *err);
// options.c: whether include, exclude and op_types choose this node; if not, *reason says why.
bool oq_options_choose(const oq_quant_options *options, const oq_node *node, const char **reason);
const oq_node_override *oq_options_override(const oq_quant_options *options, oq_node_id node); // or NULL
bool oq_options_exclude(const oq_quant_options *options, const oq_node *node);
// Widths of a node's layer: its own or those of the options.
void oq_options_widths(const oq_quant_options *options, oq_node_id node, int *weight_bits,
                       int *activation_bits);
// Symmetric weights of matrix products below 8 bits use -2^(b-1) too: half a step more counts for much there.
// At 8 bits it is left out, as kernels that add two products of 8 bits in 16 want it; so it is for
// convolutions, whose inputs are rarely negative, so that what is cut off above adds up.
oq_grid oq_options_weight_grid(const oq_quant_options *options, int bits, bool is_signed, bool matrix);
oq_status oq_options_check(const oq_quant_options *options, oq_error *err);

// layers.c: fills rules, layers and what stands behind each of them.
oq_status oq_plan_find_layers(oq_plan *plan, oq_error *err);

// tails.c: what detectors make of their last layers stays float, and inputs of a Concat far apart in range
// share no grid. Behind oq_plan_find_layers.
oq_status oq_plan_guard_tails(oq_plan *plan, oq_error *err);

// flow.c: which values are carried as integers, which passthrough nodes run on them, which share parameters.
// Starts from the layers that are not dropped; may be called again after some were.
oq_status oq_plan_flow(oq_plan *plan, oq_error *err);
oq_value_id oq_plan_leader(const oq_plan *plan, oq_value_id value);
// Grid and carrier of an activation's integers: as wide as the most demanding of the layers that read its
// group.
oq_grid oq_plan_grid(const oq_plan *plan, oq_value_id value);

// dynamic.c: in place of flow, ranges and weights; fits or drops every layer.
oq_status oq_plan_dynamic(oq_plan *plan, oq_error *err);

// ranges.c: the bool or 8-bit integer value behind a Cast whose results the grid of `value` holds as they
// are, or OQ_NONE.
oq_value_id oq_plan_cast_source(const oq_plan *plan, oq_value_id value);
// elementwise.c: adds the elementwise node to those that may compute on integers, if it may.
void oq_plan_consider_elementwise(oq_plan *plan, const oq_node *node, const oq_rule *rule);
// Which of them do: integers come in anyway, and nobody wants floats. Needs the layers, and which are wide;
// `wanted` [value_count] is scratch.
void oq_plan_find_elementwise(oq_plan *plan, bool *wanted);
// A constant float of one element.
bool oq_plan_is_number(const oq_plan *plan, oq_value_id value, double *number);
// True when this input of such a node carries data.
bool oq_plan_elementwise_use(const oq_plan *plan, oq_use use);
// What such a node makes as integers: its output, or that of the clip it took in.
oq_value_id oq_plan_elementwise_output(const oq_plan *plan, oq_node_id node);
// The elementwise node that makes the value as integers, or OQ_NONE.
oq_node_id oq_plan_computed_by(const oq_plan *plan, oq_value_id value);

// ranges.c: the range outside of which no reader of a value tells values apart. Then
// what a value's integers must cover: statistics, cut where the consumers ignore the rest. False
// when the value was not observed. Then parameters from a range, and whether their saturation does what a
// clip does.
oq_range oq_plan_used_range(const oq_plan *plan, oq_value_id value);
// The bounds of the Relu or Clip that the layer or elementwise node that makes a value took in, if it did.
bool oq_plan_clip_taken(const oq_plan *plan, oq_value_id value, double *low, double *high);
// The same within the clip that the value's layer or elementwise node took in.
oq_range oq_plan_limits(const oq_plan *plan, oq_value_id value);
oq_status oq_plan_value_range(const oq_plan *plan, oq_value_id value, oq_range *out, bool *known,
                              oq_error *err);
oq_status oq_plan_param_of(const oq_plan *plan, const oq_grid *grid, const oq_range *range,
                           const char *tensor, oq_qparam *out, oq_error *err);
// A range that the model alone tells: as somebody said of an input; of any other value where no samples
// showed how it is, or made-up ones did and the bounds are not much wider. False when there is none.
bool oq_plan_range_follows(const oq_plan *plan, oq_value_id value, oq_range *out);
bool oq_plan_clip_is_exact(const oq_grid *grid, oq_qparam param, double low, double high);
// True when quantizing this value can give integers of its carrier that its grid does not have, so that a
// Clip must follow.
bool oq_plan_needs_clip(const oq_plan *plan, oq_value_id value);
// headroom.c: fills tail, for the layers that are not dropped. Then whether a range should hold more than the
// samples showed, and a range with that much more at its ends, as far as the readers tell it apart.
void oq_plan_find_tails(oq_plan *plan);
bool oq_plan_has_headroom(const oq_plan *plan, oq_value_id value);
oq_range oq_plan_with_headroom(const oq_plan *plan, oq_value_id value, const oq_range *seen);
// parameters of every shared group. *changed when a layer was dropped or its clip unfolded on the way.
oq_status oq_plan_ranges(oq_plan *plan, bool *changed, oq_error *err);

// alias.c: fills alias, and sets the parameters of both. Once all groups have theirs.
oq_status oq_plan_find_aliases(oq_plan *plan, oq_error *err);

// spread.c: parameters per channel for outputs of convolutions that only float operators read, where that
// loses less.
oq_status oq_plan_spread(oq_plan *plan, oq_error *err);
// What the layer's bias must hold beside its own, in the units of the sum: moves the zero point of this
// output channel to the one that all are made with.
double oq_plan_zero_shift(const oq_plan *plan, const oq_layer *layer, size_t output);

// weights.c: integers of the constant operands, and the bounds that bias and accumulator put on them.
// *changed as above.
oq_status oq_plan_weights(oq_plan *plan, bool *changed, oq_error *err);

// weight.c: a constant operand of a layer as integers; *finite is false when it holds NaN or infinity.
oq_status oq_weight_make(oq_plan *plan, const oq_layer *layer, const oq_operand *operand, oq_weight **out,
                         bool *finite, oq_error *err);
// Weights of the layer's right operand that share a scale, when they are in groups; 0: they are not.
size_t oq_plan_weight_group(const oq_plan *plan, const oq_layer *layer);
// A copy of `weight` whose scales are `scale` [oq_weight_params]; zero points stay.
oq_status oq_weight_rescale(oq_plan *plan, const oq_weight *weight, const float *scale, oq_weight **out,
                            oq_error *err);
// A copy of `weight` for one layer alone: the same parameters, integers undefined; oq_weight_measure must
// follow once they are there.
oq_status oq_weight_copy(oq_plan *plan, const oq_weight *weight, oq_weight **out, oq_error *err);
void oq_weight_measure(oq_weight *weight); // fills reach

// edit.c: keeps the layer as it is now as its past, unless it has one.
oq_status oq_plan_begin_edit(oq_plan *plan, oq_layer *layer, oq_error *err);
// True when the bias is no longer that of the float model.
bool oq_layer_bias_edited(const oq_layer *layer);
// True when something is added to the layer's product, as in the float model or by a correction.
static inline bool oq_layer_adds(const oq_layer *layer) {
    return (layer->addend != OQ_NONE && layer->beta != 0) || oq_layer_bias_edited(layer);
}
// pairs.c: a layer's constant operand with scales at which no sum of two neighbouring products leaves 16
// bits, where the target asks for it.
oq_status oq_plan_fit_pairs(oq_plan *plan, oq_layer *layer, oq_operand *operand, oq_error *err);
// pairs.c: `partner` and `pair_limit` of a layer's rows.
oq_status oq_plan_pair_up(const oq_plan *plan, const oq_layer *layer, oq_weight_rows *rows, oq_error *err);
// Known rank of a value, or -1.
int oq_plan_rank(const oq_plan *plan, oq_value_id value);
// weights.c: whether a layer with a constant operand keeps its sums, with biases of this size, below 2^31.
bool oq_plan_bias_fits(const oq_plan *plan, const oq_layer *layer, size_t output, float bias);

#endif
