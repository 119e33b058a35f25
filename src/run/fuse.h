// Integer groups: DequantizeLinear -> op -> QuantizeLinear written as the nodes of the integer kernel.
#ifndef OQ_RUN_FUSE_H
#define OQ_RUN_FUSE_H

#include "run/program.h"

#define OQ_GROUP_NODES 2

// What runs instead of one node of the graph (the QuantizeLinear, or the product when none follows).
typedef struct oq_group {
    const oq_node *node[OQ_GROUP_NODES]; // in their order; NULL: no more
    const oq_op_version *version[OQ_GROUP_NODES];
    int64_t opset[OQ_GROUP_NODES];
} oq_group;

// Values that groups need besides those of the graph: ids from the graph's value_count on.
typedef struct oq_extra_values {
    oq_program *program;
    const oq_graph *graph;
    oq_place *place; // of constants; OQ_NONE: made by a group's node
    size_t count, capacity;
} oq_extra_values;

// The group that stands for `node`, if it is the last node of one: *found tells. Depends on the graph alone.
oq_status oq_group_find(oq_extra_values *extra, oq_graph *graph, const oq_node *node, oq_group *group,
                        bool *found, oq_error *err);

#endif
