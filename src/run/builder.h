// Working state while the plan of one graph is made.
#ifndef OQ_RUN_BUILDER_H
#define OQ_RUN_BUILDER_H

#include "run/fuse.h"

// A node that may have to run.
typedef struct oq_item {
    const oq_node *node;
    const oq_op_version *version;
    const oq_function *function; // instead of `version`
    int64_t opset;
    bool needed;
} oq_item;

typedef struct oq_builder {
    oq_program *program;
    oq_graph *graph;
    const oq_program_options *options; // of the main graph, or NULL
    const oq_outside *outside;
    const oq_binding *binding;
    oq_plan *plan;
    oq_extra_values extra;
    oq_item *items; // in the order of execution
    size_t item_count, item_capacity;
    size_t id_count; // values of the graph and extra ones
    bool *needed;    // [id_count] somebody reads it, or it is an output, or observed
    bool *given;     // [id_count] comes from the caller or from outside
    oq_place *place; // [id_count]
} oq_builder;

// What runs a node: a local function, or a version of an operator that has a kernel. UNSUPPORTED or BAD_MODEL
// names the node.
oq_status oq_node_resolve(const oq_graph *graph, const oq_node *node, const oq_function **function,
                          const oq_op_version **version, int64_t *opset, oq_error *err);
// Lists the graph's nodes in order, with groups in place of the nodes that they stand for.
oq_status oq_builder_collect(oq_builder *b, oq_error *err);
// Marks what the outputs need, and resolves the operators of the nodes among that.
oq_status oq_builder_mark(oq_builder *b, oq_error *err);
// Gives every needed value its place.
oq_status oq_builder_place(oq_builder *b, oq_error *err);

#endif
