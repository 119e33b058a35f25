// Memory of one worker: a pool of output buffers by size, and scratch blocks that a node's end gives back.
#ifndef OQ_RUN_BUFFERS_H
#define OQ_RUN_BUFFERS_H

#include "tensor/tensor.h"

// Buffers return here when their last reference goes, from any thread and also after the worker's end.
typedef struct oq_buffers oq_buffers;

oq_status oq_buffers_new(oq_mem *mem, oq_buffers **out, oq_error *err);
void oq_buffers_free(oq_buffers *buffers); // NULL is allowed; lives on inside until the last buffer is back
// A buffer of at least `bytes`, one reference, undefined contents. What the pool holds (in use and idle)
// stays below one and a half times the most that was in use at once, plus a constant.
oq_status oq_buffers_get(oq_buffers *buffers, size_t bytes, oq_buffer **out, oq_error *err);

// Scratch: a stack of blocks. Nested nodes (bodies) take their mark first and go back to it.
#define OQ_SCRATCH_CHUNKS 40 // each at least as large as all before it together: never more than these
typedef struct oq_scratch_stack {
    oq_mem *mem;
    struct {
        unsigned char *data;
        size_t size;
    } chunk[OQ_SCRATCH_CHUNKS];
    size_t chunk_count;
    size_t current, used; // chunk being filled and bytes used of it
} oq_scratch_stack;

typedef struct oq_scratch_mark {
    size_t current, used;
} oq_scratch_mark;

void oq_scratch_init(oq_scratch_stack *stack, oq_mem *mem);
void oq_scratch_release(oq_scratch_stack *stack);
void *oq_scratch_take(oq_scratch_stack *stack, size_t bytes, oq_error *err); // aligned to OQ_ALIGNMENT
oq_scratch_mark oq_scratch_here(const oq_scratch_stack *stack);
// Back to a mark; the outermost one also joins several chunks to one, so that later runs need one only.
void oq_scratch_back(oq_scratch_stack *stack, oq_scratch_mark mark);

#endif
