// The hash map from strings to numbers: linear probing, removal by shifting back, so no tombstones.
#include "base/map.h"

#define XXH_STATIC_LINKING_ONLY
#include <string.h>
#include <xxhash.h>

static uint32_t hash_of(const char *key) { return (uint32_t)XXH3_64bits(key, strlen(key)); }

void oq_map_init(oq_map *map, oq_mem *mem) { *map = (oq_map){.mem = mem}; }

void oq_map_release(oq_map *map) {
    oq_mem_free(map->mem, map->entries);
    *map = (oq_map){.mem = map->mem};
}

// Index of `key`, or of the free slot where it would go. The map has at least one free slot.
static size_t slot_of(const oq_map_entry *entries, size_t capacity, const char *key, uint32_t hash) {
    size_t slot = hash & (capacity - 1);
    while (entries[slot].key && (entries[slot].hash != hash || strcmp(entries[slot].key, key) != 0))
        slot = (slot + 1) & (capacity - 1);
    return slot;
}

int32_t oq_map_get(const oq_map *map, const char *key, int32_t otherwise) {
    if (!map->count) return otherwise;
    const size_t slot = slot_of(map->entries, map->capacity, key, hash_of(key));
    return map->entries[slot].key ? map->entries[slot].value : otherwise;
}

const char *oq_map_key(const oq_map *map, const char *key) {
    if (!map->count) return NULL;
    return map->entries[slot_of(map->entries, map->capacity, key, hash_of(key))].key;
}

static oq_status grow(oq_map *map, oq_error *err) {
    size_t capacity = 16;
    if (map->capacity && !oq_mul_size(map->capacity, 2, &capacity))
        return oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory: a table of %zu names cannot grow",
                       map->count);
    oq_map_entry *entries = oq_mem_calloc(map->mem, capacity, sizeof *entries, err);
    if (!entries) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < map->capacity; i++) {
        const oq_map_entry *entry = &map->entries[i];
        if (entry->key) entries[slot_of(entries, capacity, entry->key, entry->hash)] = *entry;
    }
    oq_mem_free(map->mem, map->entries);
    map->entries = entries;
    map->capacity = capacity;
    return ONNXQ_OK;
}

oq_status oq_map_set(oq_map *map, const char *key, int32_t value, oq_error *err) {
    if (map->count >= map->capacity / 4 * 3) OQ_TRY(grow(map, err));
    const uint32_t hash = hash_of(key);
    const size_t slot = slot_of(map->entries, map->capacity, key, hash);
    if (!map->entries[slot].key) {
        map->count++;
        map->entries[slot].key = key;
        map->entries[slot].hash = hash;
    }
    map->entries[slot].value = value;
    return ONNXQ_OK;
}

void oq_map_remove(oq_map *map, const char *key) {
    if (!map->count) return;
    const size_t mask = map->capacity - 1;
    size_t hole = slot_of(map->entries, map->capacity, key, hash_of(key));
    if (!map->entries[hole].key) return;
    // Every entry behind the hole whose home is not between hole and itself moves into the hole.
    for (size_t next = (hole + 1) & mask; map->entries[next].key; next = (next + 1) & mask) {
        const size_t home = map->entries[next].hash & mask;
        if (((next - home) & mask) >= ((next - hole) & mask)) {
            map->entries[hole] = map->entries[next];
            hole = next;
        }
    }
    map->entries[hole] = (oq_map_entry){0};
    map->count--;
}
