// Content hashes through XXH3 of libxxhash.
#include "base/hash.h"

#define XXH_STATIC_LINKING_ONLY
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

struct oq_hasher {
    XXH3_state_t state;
    oq_mem *mem;
};

static oq_hash of_xxh(XXH128_hash_t hash) { return (oq_hash){.high = hash.high64, .low = hash.low64}; }

oq_hash oq_hash_bytes(const void *bytes, size_t count) { return of_xxh(XXH3_128bits(bytes, count)); }

oq_status oq_hasher_new(oq_mem *mem, oq_hasher **out, oq_error *err) {
    *out = NULL;
    oq_hasher *hasher = oq_mem_calloc(mem, 1, sizeof *hasher, err);
    if (!hasher) return ONNXQ_NO_MEMORY;
    hasher->mem = mem;
    XXH3_128bits_reset(&hasher->state);
    *out = hasher;
    return ONNXQ_OK;
}

void oq_hasher_add(oq_hasher *hasher, const void *bytes, size_t count) {
    if (count) XXH3_128bits_update(&hasher->state, bytes, count);
}

oq_hash oq_hasher_end(oq_hasher *hasher) {
    const oq_hash hash = of_xxh(XXH3_128bits_digest(&hasher->state));
    oq_mem_free(hasher->mem, hasher);
    return hash;
}

const char *oq_hash_format(oq_hash hash, char buffer[33]) {
    snprintf(buffer, 33, "%016llx%016llx", (unsigned long long)hash.high, (unsigned long long)hash.low);
    return buffer;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

bool oq_hash_parse(const char *text, oq_hash *out) {
    if (strlen(text) != 32) return false;
    uint64_t half[2] = {0, 0};
    for (size_t i = 0; i < 32; i++) {
        const int digit = hex_digit(text[i]);
        if (digit < 0) return false;
        half[i / 16] = half[i / 16] << 4 | (uint64_t)digit;
    }
    *out = (oq_hash){.high = half[0], .low = half[1]};
    return true;
}
