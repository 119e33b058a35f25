// The arena: blocks cut from chunks of growing size, given back all at once.
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FIRST_CHUNK   ((size_t)4 << 10)
#define LARGEST_CHUNK ((size_t)1 << 20)
#define BLOCK_UNIT    ((size_t)16)

struct oq_arena_chunk {
    oq_arena_chunk *previous;
    size_t used, size; // bytes behind the header
    _Alignas(16) unsigned char data[];
};

void oq_arena_init(oq_arena *arena, oq_mem *mem) { *arena = (oq_arena){.mem = mem}; }

void oq_arena_release(oq_arena *arena) {
    oq_arena_chunk *chunk = arena->last;
    while (chunk) {
        oq_arena_chunk *previous = chunk->previous;
        oq_mem_free(arena->mem, chunk);
        chunk = previous;
    }
    arena->last = NULL;
}

static oq_arena_chunk *new_chunk(oq_arena *arena, size_t bytes, oq_error *err) {
    size_t total = 0;
    if (!oq_add_size(bytes, sizeof(oq_arena_chunk), &total)) {
        oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory: a block of %zu bytes was asked for", bytes);
        return NULL;
    }
    oq_arena_chunk *chunk = oq_mem_alloc(arena->mem, total, err);
    if (chunk) *chunk = (oq_arena_chunk){.size = bytes};
    return chunk;
}

void *oq_arena_alloc(oq_arena *arena, size_t bytes, oq_error *err) {
    if (bytes > SIZE_MAX - BLOCK_UNIT) {
        oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory: a block of %zu bytes was asked for", bytes);
        return NULL;
    }
    const size_t need = bytes ? (bytes + BLOCK_UNIT - 1) / BLOCK_UNIT * BLOCK_UNIT : BLOCK_UNIT;
    oq_arena_chunk *last = arena->last;
    oq_arena_chunk *home = last;
    if (!last || last->size - last->used < need) {
        size_t size = last ? last->size * 2 : FIRST_CHUNK;
        if (size > LARGEST_CHUNK) size = LARGEST_CHUNK;
        const bool alone = need > size / 4; // large blocks get a chunk of their own
        home = new_chunk(arena, alone ? need : size, err);
        if (!home) return NULL;
        if (alone && last) { // goes below the current chunk, whose rest stays usable
            home->previous = last->previous;
            last->previous = home;
        } else {
            home->previous = last;
            arena->last = home;
        }
    }
    void *block = home->data + home->used;
    home->used += need;
    return memset(block, 0, need);
}

void *oq_arena_calloc(oq_arena *arena, size_t count, size_t size, oq_error *err) {
    size_t bytes = 0;
    if (oq_mul_size(count, size, &bytes)) return oq_arena_alloc(arena, bytes, err);
    oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory: %zu elements of %zu bytes were asked for", count, size);
    return NULL;
}

char *oq_arena_strdup(oq_arena *arena, const char *text, oq_error *err) {
    return oq_arena_strndup(arena, text, strlen(text), err);
}

char *oq_arena_strndup(oq_arena *arena, const char *text, size_t length, oq_error *err) {
    if (length == SIZE_MAX) length--; // the allocation below refuses it
    char *copy = oq_arena_alloc(arena, length + 1, err);
    if (copy && length) memcpy(copy, text, length);
    return copy;
}

void *oq_arena_memdup(oq_arena *arena, const void *bytes, size_t count, oq_error *err) {
    void *copy = oq_arena_alloc(arena, count, err);
    if (copy && count) memcpy(copy, bytes, count);
    return copy;
}

char *oq_arena_printf(oq_arena *arena, oq_error *err, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        oq_fail(err, ONNXQ_INTERNAL, "a text cannot be formatted");
        return NULL;
    }
    char *text = oq_arena_alloc(arena, (size_t)length + 1, err);
    if (!text) return NULL;
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}
