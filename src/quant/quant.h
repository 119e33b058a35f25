// Quantization: rules make a plan from a prepared graph and its statistics; two emitters write it into the
// graph.
#ifndef OQ_QUANT_QUANT_H
#define OQ_QUANT_QUANT_H

#include "ops/ops.h"
#include "stats/stats.h"

typedef enum oq_format { OQ_FORMAT_QOPERATOR, OQ_FORMAT_QDQ } oq_format;

typedef struct oq_quant_options {
    oq_format format;
    int weight_bits, activation_bits; // 8
    bool per_channel;                 // weights
    bool weight_signed;               // int8 (default) or uint8
    bool activation_signed;           // false: uint8 (default)
    bool activation_symmetric;
    bool weight_asymmetric;
    oq_range_method method;
    double percentile;
    const char *const *include, *const *exclude; // globs on node names or operator types ("op:Conv")
    size_t include_count, exclude_count;
    const char *const *op_types; // only these; count 0 = all that have a compute rule
    size_t op_type_count;
} oq_quant_options;

oq_quant_options oq_quant_defaults(void);

// How one tensor is carried as integers.
typedef struct oq_tensor_plan {
    bool quantized;
    oq_grid grid;
    oq_dtype carrier;
    int axis;           // of per-channel parameters, or -1
    size_t channels;    // 1 when per tensor
    oq_qparam *params;  // [channels]
    oq_value_id shared; // value whose parameters it takes over (passthrough), or OQ_NONE
} oq_tensor_plan;

typedef enum oq_node_fate {
    OQ_FATE_FLOAT,
    OQ_FATE_QUANTIZED,
    OQ_FATE_PASSTHROUGH,
    OQ_FATE_FOLDED
} oq_node_fate;

typedef struct oq_node_plan {
    oq_node_fate fate;
    const char *reason; // why it stays float; NULL for nodes that no rule concerns
    uint64_t macs;
} oq_node_plan;

typedef struct oq_plan oq_plan; // per value a tensor plan, per node a node plan

oq_status oq_plan_make(oq_graph *graph, const oq_stats *stats, const oq_quant_options *options, oq_plan **out,
                       oq_error *err);
void oq_plan_free(oq_plan *plan);
const oq_tensor_plan *oq_plan_tensor(const oq_plan *plan, oq_value_id id);
const oq_node_plan *oq_plan_node(const oq_plan *plan, oq_node_id id);
// Writes the plan into the graph (which it was made for): the graph becomes the quantized one.
oq_status oq_plan_emit(oq_plan *plan, oq_graph *graph, oq_error *err);

#endif
