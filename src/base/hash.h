// Content hashes: 128 bits of XXH3, for keys of models, data and file names.
#ifndef OQ_BASE_HASH_H
#define OQ_BASE_HASH_H

#include "base/mem.h"

typedef struct oq_hash {
    uint64_t high, low;
} oq_hash;

typedef struct oq_hasher oq_hasher; // streaming state

oq_hash oq_hash_bytes(const void *bytes, size_t count);
oq_status oq_hasher_new(oq_mem *mem, oq_hasher **out, oq_error *err);
void oq_hasher_add(oq_hasher *hasher, const void *bytes, size_t count);
oq_hash oq_hasher_end(oq_hasher *hasher); // of all that was added; ends the state
// 32 lower-case hex digits and NUL into `buffer`.
const char *oq_hash_format(oq_hash hash, char buffer[33]);
bool oq_hash_parse(const char *text, oq_hash *out);
static inline bool oq_hash_equal(oq_hash a, oq_hash b) { return a.high == b.high && a.low == b.low; }

#endif
