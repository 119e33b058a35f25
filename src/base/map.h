// A hash map from strings to 32-bit numbers: names to ids, everywhere in the library.
#ifndef OQ_BASE_MAP_H
#define OQ_BASE_MAP_H

#include "base/mem.h"

typedef struct oq_map_entry {
    const char *key; // not copied: lives as long as the map
    uint32_t hash;
    int32_t value;
} oq_map_entry;

// Open addressing, power-of-two capacity; iteration order is not defined, so nothing written may depend on
// it.
typedef struct oq_map {
    oq_mem *mem;
    oq_map_entry *entries; // key NULL = free
    size_t capacity, count;
} oq_map;

void oq_map_init(oq_map *map, oq_mem *mem);
void oq_map_release(oq_map *map);
// Value of `key`, or `otherwise` when it is not there.
int32_t oq_map_get(const oq_map *map, const char *key, int32_t otherwise);
// The stored key that equals `key`, or NULL: for sets of interned texts.
const char *oq_map_key(const oq_map *map, const char *key);
// Inserts or replaces (the value; the first key stays).
oq_status oq_map_set(oq_map *map, const char *key, int32_t value, oq_error *err);
void oq_map_remove(oq_map *map, const char *key);

#endif
