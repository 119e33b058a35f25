// What a program is inside: a tree of plans (main graph, bodies, called functions), their steps and
// constants.
#ifndef OQ_RUN_PROGRAM_H
#define OQ_RUN_PROGRAM_H

#include "run/guard.h"
#include "run/run.h"

// Where a step finds a value: slots of its plan's frame count from 0, OQ_NONE is "left out", constants of the
// program count downwards from -2.
typedef int32_t oq_place;
static inline oq_place oq_place_constant(size_t index) { return -2 - (oq_place)index; }
static inline bool oq_place_is_constant(oq_place place) { return place < OQ_NONE; }
static inline size_t oq_place_index(oq_place place) { return (size_t)(-2 - place); }

typedef struct oq_plan oq_plan;

// One thing to do: a kernel, or the body of a model-local function.
typedef struct oq_step {
    const oq_node *node; // the graph's own, or a copy with attribute references resolved, or a group's
    const oq_op_version *version; // NULL: `call` is run instead
    int64_t opset;
    oq_place *inputs; // [input_count] then the captures [capture_count]
    size_t input_count, capture_count;
    oq_place *outputs; // slots; OQ_NONE: nobody reads it
    size_t output_count;
    const oq_guard *guards; // [input_count], NULL for a call
    bool *in_dies;          // [input_count]
    bool *wanted;           // [output_count]
    oq_place *dead;
    size_t dead_count; // slots whose last reader this step is
    void *state;       // from prepare
    oq_plan *call;
    oq_plan **bodies; // of the graphs among the node's attributes
    size_t body_count;
} oq_step;

struct oq_plan {
    const oq_graph *graph;
    size_t index; // of its frame in a worker; every plan runs at most once at a time in one worker
    oq_step *steps;
    size_t step_count, slot_count;
    size_t most_inputs, most_outputs; // of any step, captures counted as inputs
    oq_place *inputs;                 // slots; OQ_NONE: nobody reads it
    oq_value_id *input_ids;
    size_t input_count;
    oq_place *captures; // slots, by the owning node's capture; OQ_NONE: not needed, or a constant
    size_t capture_count;
    oq_place *outputs;
    oq_value_id *output_ids;
    size_t output_count;
};

// A constant of the program. It is loaded when the first step that reads it is prepared, and let go of when
// all its readers have packed it and read only dtype and shape from then on.
typedef struct oq_held {
    oq_value value;            // NONE until it is loaded
    const oq_constant *source; // NULL: the program made it itself
    size_t keepers;            // readings of the data in every run
    size_t spenders;           // readings that end with prepare, of steps not yet prepared
} oq_held;

struct oq_program {
    oq_mem *mem;
    oq_graph *graph;
    oq_arena arena;
    oq_plan **plans; // by index; the main graph's is the first
    size_t plan_count, plan_capacity;
    oq_held *constants;
    size_t constant_count, constant_capacity;
    oq_map constant_places; // address of the oq_constant as text -> place
    size_t step_total;      // of all plans, bounded: functions that call functions multiply
    bool *observed;         // [value_count of the main graph], or NULL
    size_t observed_count;
    bool plain_qdq, saturate_pairs;
    int depth; // of the plan being built
};

// Attributes of a call seen from inside a function's body.
typedef struct oq_binding {
    const oq_function *function;
    const oq_node *call; // its own references are resolved
} oq_binding;

// Where the plan of a body finds what its graph takes from outside.
typedef struct oq_outside {
    const oq_place *places; // [count] places in the plan around it
    size_t count;
} oq_outside;

// Builds the plan of `graph` and of everything inside it, and adds it to the program. `options` belongs to
// the main graph (NULL otherwise), `outside` to a body, `binding` to what is inside a function.
oq_status oq_plan_new(oq_program *program, oq_graph *graph, const oq_program_options *options,
                      const oq_outside *outside, const oq_binding *binding, oq_plan **out, oq_error *err);

// The node with the attributes that `binding` gives it: itself when it refers to none.
oq_status oq_node_bind(oq_arena *arena, const oq_node *node, const oq_binding *binding, const oq_node **out,
                       oq_error *err);

// A place for a constant of the graph, loaded later; the same for the same constant.
oq_status oq_program_constant(oq_program *program, const oq_constant *constant, oq_place *out, oq_error *err);
// Keeps a tensor (its reference is taken over) as a constant of the program.
oq_status oq_program_keep(oq_program *program, oq_tensor tensor, oq_place *out, oq_error *err);
// Loads the constants and prepares all steps, one after the other, so that beside the packed weights only one
// weight is in memory as it came.
oq_status oq_program_prepare(oq_program *program, oq_error *err);

// Runs one plan in a worker: what run_graph and a function call do. Outputs get references.
oq_status oq_worker_run_plan(oq_worker *worker, const oq_plan *plan, const oq_value *const *inputs,
                             size_t input_count, const oq_value *const *captures, oq_value *outputs,
                             oq_error *err);
// Puts "node 'x' (Op): " before the sentence of an error.
void oq_error_name_node(oq_error *err, const oq_node *node);
// Calls a step's prepare function with its constant inputs.
oq_status oq_step_prepare(oq_worker *worker, oq_step *step, oq_error *err);

#endif
