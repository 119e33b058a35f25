// Budgets of size: the width of each layer's weights, chosen by measured loss per bit.
#ifndef OQ_TUNE_WIDTHS_H
#define OQ_TUNE_WIDTHS_H

#include "tune/sensitivity.h"

typedef enum oq_size_goal {
    OQ_GOAL_NONE,
    OQ_GOAL_BYTES, // of the file, with external data
    OQ_GOAL_BITS   // mean width of the quantized layers' weights
} oq_size_goal;

// The float model, prepared (unchanged afterwards), and statistics of that.
typedef struct oq_widths_source {
    oq_model *prepared;
    const oq_stats *stats;
    const oq_dataset *data;
    const oq_quant_options *quant; // weight_bits: the most that a layer gets
} oq_widths_source;

typedef struct oq_widths_options {
    oq_size_goal goal;
    double most;      // bytes, or bits
    oq_tuning tuning; // of the models that are compared
    size_t limit;     // losses are measured on at most so many samples; 0: 32
    const oq_progress *progress;
    oq_pool *pool;
} oq_widths_options;

typedef struct oq_layer_width {
    oq_node_id node;
    uint64_t elements; // of constant operands
    int bits;
    bool fixed;        // by the options' overrides
    double loss, full; // measured with this layer alone quantized, at `bits` and at the most bits
} oq_layer_width;

typedef struct oq_widths {
    oq_mem *mem;
    bool met;
    double reached;         // bytes, or bits
    double bits;            // mean width
    size_t samples;         // that losses were measured on
    oq_layer_width *layers; // [count] in the graph's order
    size_t count;
    oq_node_override *overrides; // [override_count] the options' own, and those of the layers
    size_t override_count;
} oq_widths;

// Starts with every layer at quant->weight_bits. The widths below that are 8, 4 and 2, which Q/DQ files store
// without waste, or, for a mean of bits in integer operators (which store a byte whatever the width), all
// down to 2. Of all choices that meet the goal the one with the least sum of losses is taken, which are
// those of sensitivity.h, of each layer alone at each width; or one width for all, where that fits and
// the tuned model is better on samples held out. A size is that of the model as it would be
// written. met false: the smallest that there is.
oq_status oq_widths_choose(const oq_widths_source *source, const oq_widths_options *options, oq_widths *out,
                           oq_error *err);
void oq_widths_release(oq_widths *widths);

#endif
