// Counting multiply-accumulates over inferred types: unknown sizes count as 1, sums saturate.
#ifndef OQ_OPS_LIB_MACS_H
#define OQ_OPS_LIB_MACS_H

#include "ops/ops.h"

// Type of input or output `i`, or NULL when it is left out, no tensor, or of unknown rank.
const oq_type *oq_macs_input(const oq_graph *graph, const oq_node *node, size_t i);
const oq_type *oq_macs_output(const oq_graph *graph, const oq_node *node, size_t i);
uint64_t oq_macs_dim(const oq_type *type, int axis);      // 1 when unknown
uint64_t oq_macs_elements(const oq_type *type, int from); // product of the axes from `from` on
uint64_t oq_macs_times(uint64_t a, uint64_t b);           // UINT64_MAX when it does not fit

#endif
