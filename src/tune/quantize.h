// From statistics to a plan and from a plan to a quantized graph: what every command that quantizes has in
// common.
#ifndef OQ_TUNE_QUANTIZE_H
#define OQ_TUNE_QUANTIZE_H

#include "passes/passes.h"
#include "quant/storage.h"
#include "tune/tune.h"

// A prepared model on its way through quantization. Everything belongs to it but `model`.
typedef struct oq_quantization {
    oq_model *model;        // prepared; raised to the opset that the options need, and smoothed
    oq_quant_options quant; // with the floors of the model's regions
    oq_stats *stats;        // of `model` as it is now
    oq_regions regions;
    size_t input_grids; // values that are exact integers now
    size_t split;       // convolutions that are a few now, of rows of about one size each
    oq_floor *floors;   // block of the model's mem
} oq_quantization;

// What must be done once, whatever is planned afterwards: the opset, the regions' floors, smoothing; in
// weight-only mode, where `stats` may be NULL, the opset alone. `model` is prepared, has inferred types, is
// changed, and must outlive the quantization; `stats` are of the prepared model and stay as they are. `quant`
// may point at what the caller keeps. Release also after a failure.
oq_status oq_quantization_begin(oq_quantization *q, oq_model *model, const oq_stats *stats,
                                const oq_quant_options *quant, oq_error *err);
void oq_quantization_release(oq_quantization *q);

// Something that the quantization gives integers to.
typedef struct oq_quantized_layer {
    oq_node_id node;
    uint64_t macs;
    uint64_t elements; // of constant operands
    int weight_bits;
    bool table; // weight-only mode: looks rows of a table up, or is tied to one
} oq_quantized_layer;

// The layers of q->quant as it stands, each node once. `list` is a block of the model's mem that the caller
// frees.
oq_status oq_quantization_layers(const oq_quantization *q, oq_quantized_layer **list, size_t *count,
                                 oq_error *err);

// A plan for q->quant as it stands (whose overrides may have changed since), tuned on `data` unless that is
// NULL or the options ask for nothing; `correction` may be NULL then. The caller frees the plan.
oq_status oq_quantization_plan(const oq_quantization *q, const oq_dataset *data,
                               const oq_correct_options *options, oq_plan **plan, oq_correction *correction,
                               oq_error *err);

// Writes the plan into the graph and raises that to the opset that the plan needs: layers that a budget
// widened need a later one than the options that the quantization began with.
oq_status oq_quantization_write(oq_plan *plan, oq_graph *graph, oq_error *err);

// Writes the plan into q's own graph (the end of q's use for planning), or into the graph of an unchanged
// clone of q->model, and stores tables as the options say: swept, inferred and checked. `tables` (may be
// NULL) receives what became of those, NULL where there are none; the caller frees it.
oq_status oq_quantization_emit(const oq_quantization *q, oq_plan *plan, oq_graph *graph, oq_storage **tables,
                               oq_error *err);
// Tables alone, of a graph in which everything else is written, by `plan` (NULL: there is none); the graph is
// to be swept and inferred anew.
oq_status oq_tables_emit(oq_graph *graph, const oq_quant_options *quant, const oq_plan *plan,
                         oq_storage **tables, oq_error *err);

// Weight-only mode: `model` is prepared and is raised to the opset that the options need; `stats` are of the
// prepared model or NULL; the caller frees the storage. Then it is written: swept, inferred and checked.
oq_status oq_weights_store(oq_model *model, const oq_stats *stats, const oq_quant_options *quant,
                           oq_storage **storage, oq_error *err);
oq_status oq_weights_emit(const oq_storage *storage, oq_error *err);

#endif
