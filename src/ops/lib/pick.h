// Single elements and equal runs picked from, or put to, given offsets.
#ifndef OQ_OPS_LIB_PICK_H
#define OQ_OPS_LIB_PICK_H

#include <stddef.h>
#include <stdint.h>

// to[k] = from[offsets[k]], elements of 1, 2, 4, 8 or 16 bytes.
void oq_pick(void *to, const void *from, const int64_t *offsets, size_t count, size_t element);
// to[offsets[k]] = from[k], in order, so that the last of equal offsets wins.
void oq_put(void *to, const void *from, const int64_t *offsets, size_t count, size_t element);
// Runs of `run` elements each: to[k * run ..] = from[offsets[k] ..], and the other way round.
void oq_pick_runs(void *to, const void *from, const int64_t *offsets, size_t count, size_t run,
                  size_t element);
void oq_put_runs(void *to, const void *from, const int64_t *offsets, size_t count, size_t run,
                 size_t element);

#endif
