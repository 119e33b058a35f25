// Quantization: rules make a plan from a prepared graph and its statistics; two emitters write it into the
// graph.
//
// The usual way: oq_pass_upgrade_opset(model, oq_quant_minimum_opset(&options)); oq_prepare_model;
// oq_pass_find_regions (marks functions written out in primitives, which are quantized around);
// oq_infer_graph; calibration; then oq_plan_make, a look at what it decided, and oq_plan_emit. This room
// never runs a model.
#ifndef OQ_QUANT_QUANT_H
#define OQ_QUANT_QUANT_H

#include "ops/ops.h"
#include "stats/stats.h"

// qoperator: QuantizeLinear, QLinearConv, QLinearMatMul, MatMulInteger, DequantizeLinear. qdq: the float
// operators between DequantizeLinear and QuantizeLinear, in the forms that runtimes fuse.
typedef enum oq_format { OQ_FORMAT_QOPERATOR, OQ_FORMAT_QDQ } oq_format;

// static: products run on integers, ranges of activations come from calibration. weight-only: weights are
// stored as integers and everything is computed in float (storage.h). dynamic: products run on integers, and
// the range of each activation is found at run time.
typedef enum oq_mode { OQ_MODE_STATIC, OQ_MODE_WEIGHT_ONLY, OQ_MODE_DYNAMIC } oq_mode;

// A value that a region (node->region) reads without telling values below `low` apart (HardSwish gives 0
// below -3): its range is cut there when nobody else needs more. oq_region_floor of passes/ knows `low` for
// each kind of region.
typedef struct oq_floor {
    oq_value_id value;
    int region;
    double low;
} oq_floor;

// What the layer of one node takes in place of the options below.
typedef struct oq_node_override {
    oq_node_id node;
    int weight_bits, activation_bits; // 0: as the options say
    const char *leave_float;          // not NULL: the node stays float, for this reason
} oq_node_override;

// The same for all nodes that a glob matches, as users say it.
typedef struct oq_layer_choice {
    const char *glob; // on node names, or on operator types behind "op:"
    int weight_bits, activation_bits;
    bool leave_float;
} oq_layer_choice;

// x86-avx2: kernels that add two uint8 x int8 products in 16 bits, saturating.
typedef enum oq_target { OQ_TARGET_ANY, OQ_TARGET_X86_AVX2 } oq_target;

typedef struct oq_quant_options {
    oq_mode mode;
    oq_format format;
    oq_target target;
    int weight_bits, activation_bits; // 8
    bool per_channel;                 // weights
    bool split_rows; // rows of very different sizes become layers of their own, where weights have one scale
    int64_t group_size;         // weight-only: one scale per so many neighbours along the sum; 0: per channel
    int embedding_bits;         // of tables that Gather looks rows up in (storage.h); 0: float
    bool embedding_by_gain;     // only of tables that are large and lose next to nothing
    const char *tables_refused; // not NULL: tables stay float, for this reason
    bool weight_signed;         // int8 (default) or uint8
    bool activation_signed;     // false: uint8 (default)
    bool activation_symmetric;
    bool weight_asymmetric;
    bool half_quadratic; // below 8 bits, behind the search for ranges of weights (grid/layout.h)
    bool elementwise;    // functions between convolutions on integers, too, where activations have 8 bits and
                         // zero points (elementwise.c)
    bool whole_blocks;   // zero channels where kernels want a round number of them (channels.c)
    bool guards;         // false; leave float what gains nothing by being quantized, unless it is named
    oq_range_method method;
    double percentile;
    const char *const *include, *const *exclude; // globs on node names or operator types ("op:Conv")
    size_t include_count, exclude_count;
    const char *const *op_types; // only these; count 0 = all that have a compute rule
    size_t op_type_count;
    const oq_floor *floors;
    size_t floor_count;
    const oq_node_override *overrides; // at most one a node
    size_t override_count;
} oq_quant_options;

oq_quant_options oq_quant_defaults(void);
// Weights of so many bits and more are stored with their whole range; narrower ones are cut and rounded by
// what their errors cost.
enum { OQ_WHOLE_RANGE_BITS = 8 };
// Whether weight-only storage makes use of statistics: some layer has narrower weights.
bool oq_quant_stores_narrow(const oq_quant_options *options);
// The overrides that `choices` mean in this graph; where several match a node the last one counts. `list` is
// a block of the model's mem that the caller frees. USAGE when one matches no node.
oq_status oq_quant_override(const oq_graph *graph, const oq_layer_choice *choices, size_t choice_count,
                            oq_node_override **list, size_t *count, oq_error *err);
// The least opset of ai.onnx in which the operators that the emitters write are defined for these options.
int64_t oq_quant_minimum_opset(const oq_quant_options *options);

// Metadata of a model that was quantized: lines "INTEGERS LOW HIGH", for values at which a Clip was left out
// because their saturation does its work.
#define OQ_CLIPS_KEY "onnxq.clips"

// How one tensor is carried as integers.
typedef struct oq_tensor_plan {
    bool quantized;
    oq_grid grid;
    oq_dtype carrier;
    int axis;                // of per-channel parameters, or -1
    size_t channels;         // 1 when per tensor
    const oq_qparam *params; // [channels], owned by the plan
    oq_qparam made;     // of an activation: what it is quantized with; params[0] when per tensor (spread.c)
    oq_value_id shared; // value whose parameters it takes over (passthrough), or OQ_NONE
} oq_tensor_plan;

typedef enum oq_node_fate {
    OQ_FATE_FLOAT,
    OQ_FATE_QUANTIZED,   // computes on integers
    OQ_FATE_PASSTHROUGH, // moves integers
    OQ_FATE_ELEMENTWISE, // makes integers of integers, with parameters of their own
    OQ_FATE_FOLDED       // gone: part of a quantized node
} oq_node_fate;

// Weights as floats, and as integers with their scales and zero points.
typedef struct oq_weight_bytes {
    uint64_t before, after;
} oq_weight_bytes;

typedef struct oq_node_plan {
    oq_node_fate fate;
    const char *reason;      // why it stays float; NULL for nodes that no rule concerns
    const char *guard;       // what a guard keeps float around it, besides; or NULL
    uint64_t macs;           // multiply-accumulates
    size_t narrowed;         // output channels whose weights got a larger scale for the target
    oq_weight_bytes weights; // of a quantized node, once the plan is emitted: its constant operand
    // Channels of zeros that its weights got, of the output and of the input (channels.c); once it is
    // emitted.
    size_t zero_outputs, zero_inputs;
    oq_weight_bytes counted; // of these, what no node before it reads, so that sums count all once
} oq_node_plan;

// A node inside the body of another one (If, Loop, Scan) that would have a rule: always left float.
typedef struct oq_inner_node {
    const oq_node *node;
    oq_node_id owner; // the node of the main graph whose body (or whose body's body) holds it
    const char *reason;
} oq_inner_node;

// Nodes that compute products (those with a compute rule), main graph only.
typedef struct oq_plan_summary {
    size_t nodes, quantized;
    uint64_t macs, macs_quantized;
    size_t bounded; // values whose parameters come from what the model alone tells of them (bounds.h)
} oq_plan_summary;

typedef struct oq_plan oq_plan; // per value a tensor plan, per node a node plan

// Marks the values whose ranges a plan may ask for, for calibration to watch no others: operands and results
// of products, and what passthrough nodes make of them. `observed` [graph->value_count] is overwritten.
oq_status oq_quant_observe(oq_graph *graph, const oq_quant_options *options, bool *observed, oq_error *err);
// Marks the nodes that rules and options make layers of: what a plan quantizes when ranges and weights allow
// it. `chosen` [graph->node_count] is overwritten.
oq_status oq_quant_chosen(oq_graph *graph, const oq_quant_options *options, bool *chosen, oq_error *err);
// Decides everything. `stats` may be NULL in dynamic mode. `graph` is the main graph, prepared, with inferred
// types and marked regions; it is not changed and must outlive the plan. The same inputs give the same plan.
// Errors: BAD_DATA when a range holds NaN or infinity (names the tensor), USAGE when the options contradict
// each other.
oq_status oq_plan_make(oq_graph *graph, const oq_stats *stats, const oq_quant_options *options, oq_plan **out,
                       oq_error *err);
// Of the options that it was made with.
int64_t oq_plan_minimum_opset(const oq_plan *plan);
void oq_plan_free(oq_plan *plan); // NULL is allowed
const oq_tensor_plan *oq_plan_tensor(const oq_plan *plan, oq_value_id id);
const oq_node_plan *oq_plan_node(const oq_plan *plan, oq_node_id id);
const oq_inner_node *oq_plan_inner(const oq_plan *plan, size_t *count);
// Values that layers were left float for because no range is known of them or of what shares their
// parameters.
const oq_value_id *oq_plan_missing(const oq_plan *plan, size_t *count);
oq_plan_summary oq_plan_summarize(const oq_plan *plan);
// Writes the plan into the graph which it was made for, or into its unchanged clone: the graph becomes the
// quantized one. Once per graph; the node plans of the main graph stay readable afterwards, and tell sizes.
oq_status oq_plan_emit(oq_plan *plan, oq_graph *graph, oq_error *err);

// How often each operator stands in the main graph, sorted by name: before and after for the final table.
typedef struct oq_operator_count {
    const char *op_type; // owned by the model
    size_t count;
} oq_operator_count;
// `list` is a block of the model's mem that the caller frees.
oq_status oq_count_operators(const oq_graph *graph, oq_operator_count **list, size_t *count, oq_error *err);

#endif
