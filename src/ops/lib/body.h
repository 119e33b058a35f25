// What operators with bodies share: If, Loop, Scan, SequenceMap.
#ifndef OQ_OPS_LIB_BODY_H
#define OQ_OPS_LIB_BODY_H

#include "ops/lib/sequence.h"

// Table entries of the versions that only widen the types: 1..15 tensors, 13 sequences, 16 optionals.
#define OQ_BODY_TYPES(SET) ((SET) | OQ_T_SEQUENCE | OQ_T_OPTIONAL)

// The graph of attribute `name`, or an error.
oq_status oq_body_of(const oq_node *node, const char *name, oq_graph **out, oq_error *err);
// Type of output `o` of a body as it is known, UNKNOWN beyond the last.
oq_type oq_body_output_type(const oq_graph *body, size_t o);
// One boolean of a tensor value; an error when it is none.
oq_status oq_condition(const oq_run_context *context, const oq_value *value, bool *out, oq_error *err);

// Values that belong to the kernel: a block of context->mem that must be freed with oq_values_free, which
// gives all references back.
oq_status oq_values_new(oq_run_context *context, size_t count, oq_value **out, oq_error *err);
void oq_values_free(oq_run_context *context, oq_value *values, size_t count);

// A growing list of values that Loop and Scan collect for one output.
typedef struct oq_collection {
    oq_value *items; // block of context->mem
    size_t count, capacity;
} oq_collection;
oq_status oq_collect(oq_run_context *context, oq_collection *list, oq_value value,
                     oq_error *err); // takes it over
// Output `out` = the collected tensors stacked along `axis`, from the last to the first when `reverse`; with
// none, an empty tensor of the element type and shape that `type` knows.
oq_status oq_collection_stack(oq_run_context *context, size_t out, const oq_collection *list, int64_t axis,
                              bool reverse, const oq_type *type, oq_error *err);
void oq_collection_free(oq_run_context *context, oq_collection *list);

#endif
