// Multiply-accumulates of a node: each product operator brings its own formula.
#include "ops/ops.h"

uint64_t oq_op_macs(const oq_graph *graph, const oq_node *node) {
    const oq_op *op = NULL;
    const oq_op_version *version = oq_op_of_node(graph->model, node, &op);
    return version && version->macs ? version->macs(graph, node) : 0;
}
