// Equalization's inside: layers whose weights are rescaled, and groups of values whose channels must be
// rescaled together; shared by the two files that find groups and choose factors.
#ifndef OQ_PASSES_EQUALIZE_H
#define OQ_PASSES_EQUALIZE_H

#include "passes/passes.h"

// A Conv, ConvTranspose or Gemm with constant weights, seen as a matrix of entries of `kernel` elements, each
// of which joins one input channel to one output channel.
typedef struct oq_equalize_layer {
    oq_node *node;
    oq_tensor weight;
    bool by_input; // entries are [inputs, outputs / groups] (else [outputs, inputs / groups])
    size_t inputs, outputs, groups, kernel, entries;
    float *peak;     // [entries] largest |w|
    double *norm;    // [inputs] sum of w^2 that meets the channel
    double *power;   // [inputs] mean of x^2 as calibrated
    double *row;     // [2 * outputs] scratch
    int32_t in, out; // groups of its input and its output, or OQ_NONE
} oq_equalize_layer;

// Values, joined by functions f with f(x / s) = f(x) / s, whose channel c is divided by factor[c].
typedef struct oq_equalize_group {
    size_t channels;
    double *factor;
    double *room;       // [channels] least factor that keeps the channel inside of all Clips; 1: it stays
    bool clipped;       // `room` counts
    double *low, *high; // [channels] reach at the layers behind it, as calibrated
    uint64_t values;    // per channel that these were seen of, the least of the layers
    double *weight;     // [channels] sum of the norms of the layers behind it
    double *scratch;    // [3 * channels]
} oq_equalize_group;

typedef struct oq_equalize {
    oq_graph *graph;
    const oq_equalize_options *options;
    oq_stats *stats;
    int32_t *group_of; // [value_count] index of the group, or OQ_NONE
    oq_equalize_layer *layers;
    size_t layer_count, layer_capacity;
    oq_equalize_group *groups;
    size_t group_count;
} oq_equalize;

// Output and input channel of an entry.
static inline void oq_equalize_entry(const oq_equalize_layer *l, size_t entry, size_t *output,
                                     size_t *input) {
    const size_t ins = l->inputs / l->groups, outs = l->outputs / l->groups;
    if (l->by_input) {
        *input = entry / outs;
        *output = *input / ins * outs + entry % outs;
    } else {
        *output = entry / ins;
        *input = *output / outs * ins + entry % ins;
    }
}

// equalize_groups.c: fills layers and groups of `e`, whose first three members are set. Groups have at least
// one layer before and one behind, all of them chosen, and known ranges per channel. Release also after a
// failure.
oq_status oq_equalize_find(oq_equalize *e, oq_error *err);
void oq_equalize_release(oq_equalize *e);
// equalize_apply.c: divides constants, renames values, derives statistics.
oq_status oq_equalize_apply(const oq_equalize *e, oq_error *err);

#endif
