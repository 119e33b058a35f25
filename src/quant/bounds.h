// Ranges that values of a graph cannot leave while its inputs keep theirs.
#ifndef OQ_QUANT_BOUNDS_H
#define OQ_QUANT_BOUNDS_H

#include "quant/rule.h"

typedef struct oq_bound {
    oq_range range; // -inf, inf where nothing is known
    // The range is (nearly) reached, as far as the model alone tells: it did not come through sums over
    // weights, reductions or normalizations since the last function that ends where it does.
    bool sharp;
} oq_bound;

// What follows from the inputs' ranges (oq_gvalue.bounded), types, constants, functions that saturate, and
// sums over constant weights. `bounds` [graph->value_count] is overwritten. Wants inferred types.
oq_status oq_graph_bounds(oq_graph *graph, oq_bound *bounds, oq_error *err);

#endif
