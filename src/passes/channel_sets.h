// Values whose channels belong together, since nodes between them work channel by channel or join them.
#ifndef OQ_PASSES_CHANNEL_SETS_H
#define OQ_PASSES_CHANNEL_SETS_H

#include "graph/graph.h"

// Union-find over the values of a graph as it is when this begins; spoiled sets must stay as they are.
typedef struct oq_channel_sets {
    const oq_graph *graph;
    size_t count; // values
    oq_value_id *leader;
    bool *spoiled; // of leaders
} oq_channel_sets;

// Each value in a set of its own. Release also after a failure.
oq_status oq_channel_sets_begin(oq_channel_sets *sets, const oq_graph *graph, oq_error *err);
void oq_channel_sets_release(oq_channel_sets *sets);
oq_value_id oq_channel_sets_leader(const oq_channel_sets *sets, oq_value_id value);
void oq_channel_sets_spoil(const oq_channel_sets *sets, oq_value_id value); // OQ_NONE is allowed
// All that the node reads and gives.
void oq_channel_sets_spoil_node(const oq_channel_sets *sets, const oq_node *node);
// Spoiled unless both are float32 with as many channels along axis 1.
void oq_channel_sets_join(const oq_channel_sets *sets, oq_value_id a, oq_value_id b);

// Channels along axis 1 of a float32 value, or 0.
size_t oq_channels_of(const oq_graph *graph, oq_value_id value);
// True for nodes that only move [N, C, 1, ...] to another form with channels along axis 1.
bool oq_keeps_channels(const oq_graph *graph, const oq_node *node);

#endif
