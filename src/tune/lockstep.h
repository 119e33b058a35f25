// Two streams through a float graph, step by step and all samples at once: one of float values, one in which
// weights and the values that a plan carries as integers are what the grid left of them.
#ifndef OQ_TUNE_LOCKSTEP_H
#define OQ_TUNE_LOCKSTEP_H

#include "base/progress.h"
#include "data/data.h"
#include "quant/edit.h"
#include "run/run.h"

enum { OQ_STREAM_FLOAT, OQ_STREAM_QUANTIZED, OQ_STREAMS };

// What is run at once: one product with its bias and clip, one node that moves integers, or float nodes.
typedef struct oq_lockstep_part {
    int32_t layer;       // or -1
    oq_value_id *inputs; // that it reads from before
    bool *integer;       // [input_count] read as integers
    size_t input_count;
    oq_value_id *outputs; // that later parts read
    size_t output_count;
    oq_value_id *dead; // inputs that nobody reads after it
    size_t dead_count;
} oq_lockstep_part;

typedef struct oq_lockstep {
    oq_mem *mem;
    oq_arena arena;
    oq_plan *plan;
    oq_graph *graph;
    oq_pool *pool;
    oq_lockstep_part *parts;
    size_t part_count, part_capacity;
    int32_t *part_of; // [node_count], -1: not run
    const oq_dataset *data;
    size_t *indices; // [count] the samples of the data
    size_t count;
    size_t samples;   // the first so many of them have come as far as all parts that were run
    size_t *room;     // [part_count + 1] bytes that a sample keeps at most from there on
    size_t widest;    // bytes that it keeps at most at all
    size_t limit;     // bytes that all of them may keep
    int32_t *slot_of; // [value_count] of values that are given or that parts read or make; -1
    size_t slot_count;
    // [samples][OQ_STREAMS][slot_count] what later parts read. What is made as integers is kept as such in
    // the quantized stream.
    oq_value *frontier;
} oq_lockstep;

// What both streams of all samples may keep, where more than one sample is on the way: what eight of them
// keep where they keep most, so that ten samples, two of which judge, take as much memory as a thousand;
// between two limits.
#define OQ_LOCKSTEP_EIGHT ((size_t)8)
#define OQ_LOCKSTEP_LEAST ((size_t)1 << 20)
#define OQ_LOCKSTEP_BYTES ((size_t)32 << 20)
// What they may keep where weights have wide steps (fewer than 8 bits, or rows that share a scale, which are
// split), so that a step that the samples do not show to be wrong costs much.
#define OQ_LOCKSTEP_MORE_BYTES ((size_t)128 << 20)

// Divides the graph into parts and measures what a sample keeps on its way: no sample has been loaded
// afterwards. The data must outlive the lockstep.
oq_status oq_lockstep_begin(oq_lockstep *l, oq_plan *plan, oq_graph *graph, oq_pool *pool,
                            const oq_dataset *data, const size_t *indices, size_t count, oq_error *err);
void oq_lockstep_end(oq_lockstep *l);

static inline oq_value *oq_lockstep_at(const oq_lockstep *l, size_t sample, int stream, oq_value_id id) {
    return &l->frontier[(sample * OQ_STREAMS + (size_t)stream) * l->slot_count + (size_t)l->slot_of[id]];
}
// Before part number `part`: as many samples as have room in memory from here on, in rising number. The large
// activations of convolutional networks stand at their beginnings, so the first layers see few samples; those
// that join later are run through what was already decided.
oq_status oq_lockstep_join(oq_lockstep *l, size_t part, oq_error *err);
// Bytes that one sample keeps.
size_t oq_lockstep_bytes(const oq_lockstep *l, size_t sample);
// Gives up what the sample needs no more after `part`.
void oq_lockstep_bury(oq_lockstep *l, const oq_lockstep_part *part, size_t sample);

// What a part reads as its input number `input`: what the grid left of it where it is read as integers. One
// new reference.
oq_status oq_lockstep_input(const oq_lockstep *l, const oq_lockstep_part *part, size_t input, size_t sample,
                            int stream, oq_value *out, oq_error *err);
// The same as it is kept, where that is bytes of one scale (*bytes): what each of them stands for goes into
// `table` [256].
oq_status oq_lockstep_peek(const oq_lockstep *l, const oq_lockstep_part *part, size_t input, size_t sample,
                           int stream, oq_value *out, float *table, bool *bytes, oq_error *err);

// --- join.c ---
// Fills room, widest and limit by running the first sample alone.
oq_status oq_lockstep_measure(oq_lockstep *l, oq_error *err);
// --- lockstep.c ---
oq_status oq_lockstep_load(oq_lockstep *l, size_t sample, oq_error *err); // inputs of the graph
void oq_lockstep_unload(oq_lockstep *l, size_t sample);                   // all that it keeps

// A part made ready: its program takes the part's inputs and then `weight` (OQ_NONE: none), and gives
// `outputs`.
typedef struct oq_lockstep_runner {
    oq_lockstep *l;
    const oq_lockstep_part *part;
    oq_program *program;
    oq_worker **workers; // [threads]
    size_t from;         // oq_lockstep_pass: the first sample
    size_t output_count;
} oq_lockstep_runner;

oq_status oq_lockstep_runner_begin(oq_lockstep_runner *r, oq_lockstep *l, const oq_lockstep_part *part,
                                   oq_value_id weight, const oq_value_id *outputs, size_t output_count,
                                   oq_error *err);
void oq_lockstep_runner_end(oq_lockstep_runner *r);
// One sample of one stream on thread `worker`; outputs get references.
oq_status oq_lockstep_run(oq_lockstep_runner *r, size_t sample, int stream, const oq_value *weight,
                          size_t worker, oq_value *outputs, oq_error *err);
// Samples [from, from + count) in both streams through a part without product, into the frontier.
oq_status oq_lockstep_pass(oq_lockstep *l, const oq_lockstep_part *part, size_t from, size_t count,
                           oq_error *err);

// x on the grid of `value`: how the quantized stream keeps what is made as integers.
oq_status oq_lockstep_quantize(const oq_lockstep *l, oq_value_id value, const oq_tensor *x, oq_value *out,
                               oq_error *err);

#endif
