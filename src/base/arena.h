// An arena: many small blocks that live and die together (names, shapes, nodes of one model).
#ifndef OQ_BASE_ARENA_H
#define OQ_BASE_ARENA_H

#include "base/mem.h"

typedef struct oq_arena_chunk oq_arena_chunk;

typedef struct oq_arena {
    oq_mem *mem;
    oq_arena_chunk *last;
} oq_arena;

void oq_arena_init(oq_arena *arena, oq_mem *mem);
void oq_arena_release(oq_arena *arena); // gives everything back; the arena may be used again after init

// Zeroed block aligned to 16 bytes, or NULL with an error.
void *oq_arena_alloc(oq_arena *arena, size_t bytes, oq_error *err);
void *oq_arena_calloc(oq_arena *arena, size_t count, size_t size, oq_error *err);
// Copies of a string (NUL added) or of bytes.
char *oq_arena_strdup(oq_arena *arena, const char *text, oq_error *err);
char *oq_arena_strndup(oq_arena *arena, const char *text, size_t length, oq_error *err);
void *oq_arena_memdup(oq_arena *arena, const void *bytes, size_t count, oq_error *err);
__attribute__((format(printf, 3, 4))) char *oq_arena_printf(oq_arena *arena, oq_error *err,
                                                            const char *format, ...);

#endif
