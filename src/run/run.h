// The executor: a program is prepared once from a graph and run by any number of workers.
#ifndef OQ_RUN_RUN_H
#define OQ_RUN_RUN_H

#include "ops/ops.h"

typedef struct oq_program oq_program; // immutable after prepare; shared among threads
typedef struct oq_worker oq_worker;   // slots, buffer pool and scratch of one thread

typedef struct oq_program_options {
    // Values that an observer wants to see, by id in the main graph ([value_count] flags), or NULL.
    const bool *observed;
    // Nodes to run: only what these values need ([count] ids of the main graph), instead of the graph
    // outputs.
    const oq_value_id *outputs;
    size_t output_count;
    // Values to be given by the caller instead of the graph inputs.
    const oq_value_id *inputs;
    size_t input_count;
    // Tests: run DequantizeLinear -> op -> QuantizeLinear in float instead of the integer kernel.
    bool plain_qdq;
    // Products of uint8 and int8 add neighbours in 16 bits that saturate, as x86 kernels without VNNI do
    // (vpmaddubsw; channels of a convolution are neighbours): what such a machine would give. Slow.
    bool saturate_pairs;
} oq_program_options;

// Whether every node can be run, those of bodies and called functions included: UNSUPPORTED names the first
// that cannot.
oq_status oq_graph_can_run(const oq_graph *graph, oq_error *err);

// Checks that every node can be run, orders, fixes lifetimes, loads constants, packs weights, finds DQ -> op
// -> Q groups. UNSUPPORTED names the first node whose operator cannot be run. The graph must outlive the
// program and not change.
oq_status oq_program_new(oq_graph *graph, const oq_program_options *options, oq_program **out, oq_error *err);
void oq_program_free(oq_program *program); // NULL is allowed
// Ids of inputs that the caller must give (graph inputs without initializer, or options->inputs) and of
// outputs, in order.
const oq_value_id *oq_program_inputs(const oq_program *program, size_t *count);
const oq_value_id *oq_program_outputs(const oq_program *program, size_t *count);

oq_status oq_worker_new(const oq_program *program, oq_worker **out, oq_error *err);
// One that takes the memory of its outputs from where another worker does, which must not run at the same
// time and is freed later. What they gave stays as it is.
oq_status oq_worker_beside(const oq_program *program, const oq_worker *other, oq_worker **out, oq_error *err);
void oq_worker_free(oq_worker *worker); // NULL is allowed

// Sees every observed value of one run (inputs first, then values as they are computed; no constants). The
// value may be kept by taking a reference.
typedef struct oq_observer {
    void *self;
    oq_status (*see)(void *self, oq_value_id id, const oq_value *value, oq_error *err);
} oq_observer;

// One run. inputs[k] belongs to oq_program_inputs[k]; checked against dtype and known dimensions of the graph
// input. Outputs receive references that the caller gives back. `pool` threads inside nodes, or NULL;
// `observer` may be NULL.
oq_status oq_worker_run(oq_worker *worker, const oq_value *inputs, oq_value *outputs,
                        const oq_observer *observer, oq_pool *pool, oq_error *err);

// Runs only what depends on some values: `values[k]` stands for value changed[k] ([count] ids of the main
// graph, computed by different nodes or graph inputs), and all that does not depend on them comes from `kept`
// ([value_count] of the main graph): what an observer of an earlier run saw, which must be every value that a
// node reads or that is an output. Outputs receive references.
oq_status oq_worker_rerun(oq_worker *worker, const oq_value_id *changed, const oq_value *values, size_t count,
                          const oq_value *kept, oq_value *outputs, oq_error *err);

#endif
