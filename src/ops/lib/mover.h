// The frame of every operator that only moves elements, strings included.
//
// A mover writes elements of its sources to its output. For numbers these are the elements themselves. For
// strings they are int64 positions (of the sources' strings, counted through all sources): the operator moves
// those as if they were numbers, and close turns them into the output's strings. So no operator needs to know
// whether it moves strings.
//
//     oq_mover m;
//     OQ_TRY(oq_mover_open(&m, context, 0, &shape, &data, 1, err));
//     oq_move_dense(m.to, m.from[0], strides, m.element, shape.rank, shape.dim);
//     return oq_mover_close(&m, err);
#ifndef OQ_OPS_LIB_MOVER_H
#define OQ_OPS_LIB_MOVER_H

#include "ops/lib/move.h"
#include "ops/ops.h"

typedef struct oq_mover {
    oq_run_context *context;
    size_t out;
    oq_shape shape;
    const oq_tensor *const *sources;
    size_t source_count;
    size_t element;             // bytes of what is moved
    unsigned char *to;          // dense, of `shape`, undefined
    const unsigned char **from; // [source_count]
    unsigned char zero[16];     // one element: 0, or for strings the empty one
    bool strings;
} oq_mover;

// Sources must live until close and be of one dtype (checked); at least one.
oq_status oq_mover_open(oq_mover *m, oq_run_context *context, size_t out, const oq_shape *shape,
                        const oq_tensor *const *sources, size_t count, oq_error *err);
oq_status oq_mover_close(oq_mover *m, oq_error *err);

// New strings output: string k is the one at positions[k] through all sources, or empty for -1.
oq_status oq_out_strings(oq_run_context *context, size_t out, const oq_shape *shape,
                         const oq_tensor *const *sources, size_t source_count, const int64_t *positions,
                         oq_error *err);

#endif
