// Part of a graph, from some of its values to one other, as a program of its own.
#ifndef OQ_VERIFY_SLICE_H
#define OQ_VERIFY_SLICE_H

#include "run/run.h"

typedef struct oq_slice {
    oq_program *program; // NULL when the part cannot stand alone
    int32_t *inputs;     // what the walk's ends say of them, in the order of the program's inputs
    size_t input_count;
} oq_slice;

// From `target` up to the values whose entry in `ends` [values of the graph] is not negative. Without such a
// value above it, or with another graph input there, it cannot stand alone.
oq_status oq_slice_make(oq_mem *mem, oq_graph *graph, oq_value_id target, const int32_t *ends,
                        bool saturate_pairs, oq_slice *out, oq_error *err);
void oq_slice_release(oq_mem *mem, oq_slice *slice); // cleared is allowed
// inputs [input_count]; the caller releases the output. Any number of threads may run one slice.
oq_status oq_slice_run(const oq_slice *slice, const oq_value *inputs, oq_value *output, oq_error *err);

#endif
