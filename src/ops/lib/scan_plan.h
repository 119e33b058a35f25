// Scan: a body run over the slices of its scan inputs, one step after the other.
#ifndef OQ_OPS_LIB_SCAN_PLAN_H
#define OQ_OPS_LIB_SCAN_PLAN_H

#include "ops/lib/body.h"

// How a Scan node is laid out: its first inputs are states, the others are scanned.
typedef struct oq_scan_plan {
    oq_graph *body;
    size_t states, scanned, collected;
    const int64_t *in_axes, *in_directions, *out_axes, *out_directions; // or NULL: 0
} oq_scan_plan;

// `values` counts states and scanned inputs (without the sequence lengths of version 8).
oq_status oq_scan_plan_read(const oq_node *node, size_t values, size_t outputs, oq_scan_plan *out,
                            oq_error *err);
// The attribute list's entry k, 0 when there is no list.
static inline int64_t oq_scan_plan_at(const int64_t *list, size_t k) { return list ? list[k] : 0; }
// Runs `steps` steps. `states` ([scan->states], owned by the caller) goes from initial to final values;
// `inputs` ([scan->scanned]) are the scanned tensors along `axes`; collections ([scan->collected]) grow.
oq_status oq_scan_plan_run(oq_run_context *context, const oq_scan_plan *scan, oq_value *states,
                           const oq_tensor *inputs, const int *axes, int64_t steps,
                           oq_collection *collections, oq_error *err);

#endif
