// A bounded run of a fuzz target without a fuzzer: seeds (files named on the command line, and a built-in
// one) are mutated by a seeded generator. usage: PROGRAM INPUTS [SEED_FILE]...
#include "support/wire.h"

#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

#define MOST_SEEDS 64
#define MOST_BYTES ((size_t)64 << 10) // of a seed

static oq_mem mem;

typedef struct bytes {
    uint8_t *data;
    size_t count;
} bytes;

static uint64_t state = 1;

static uint64_t random_below(uint64_t limit) { // xorshift64*
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (state * UINT64_C(2685821657736338717) >> 11) % limit;
}

// One change: a bit, a byte, a removed, doubled or copied stretch, an extreme number.
static size_t mutate(uint8_t *data, size_t count, size_t room) {
    if (!count) return count;
    const size_t at = random_below(count), from = random_below(count);
    size_t length = 1 + random_below(16);
    if (length > count - at) length = count - at;
    switch (random_below(6)) {
    case 0: data[at] ^= (uint8_t)(1u << random_below(8)); return count;
    case 1: data[at] = (uint8_t)random_below(256); return count;
    case 2: memmove(data + at, data + at + length, count - at - length); return count - length;
    case 3:
        if (count + length > room) return count;
        memmove(data + at + length, data + at, count - at);
        return count + length;
    case 4:
        if (length > count - from) length = count - from;
        memmove(data + at, data + from, length);
        return count;
    default: memset(data + at, 0xff, length); return count;
    }
}

static size_t load_seeds(int count, char **paths, bytes *seeds) {
    oq_text rich;
    oq_text_init(&rich, &mem);
    wire_rich_model(&rich);
    seeds[0] = (bytes){.data = (uint8_t *)rich.data, .count = rich.length};
    size_t loaded = 1;
    for (int i = 0; i < count && loaded < MOST_SEEDS; i++) {
        bytes *seed = &seeds[loaded];
        if (oq_file_read_all(&mem, paths[i], &seed->data, &seed->count, NULL) != ONNXQ_OK) continue;
        if (seed->count <= MOST_BYTES)
            loaded++;
        else
            oq_mem_free(&mem, seed->data);
    }
    return loaded;
}

int main(int argc, char **argv) {
    const long inputs = argc > 1 ? strtol(argv[1], NULL, 10) : 10000;
    bytes seeds[MOST_SEEDS] = {{0}};
    const size_t seed_count = load_seeds(argc - 2, argv + 2, seeds);
    uint8_t *data = malloc(MOST_BYTES * 2);
    if (!data) return EXIT_FAILURE;
    for (size_t i = 0; i < seed_count; i++) LLVMFuzzerTestOneInput(seeds[i].data, seeds[i].count);
    for (long i = 0; i < inputs; i++) {
        const bytes *seed = &seeds[random_below(seed_count)];
        size_t count = seed->count;
        memcpy(data, seed->data, count);
        for (uint64_t k = 1 + random_below(6); k > 0; k--) count = mutate(data, count, MOST_BYTES * 2);
        LLVMFuzzerTestOneInput(data, count);
    }
    printf("%ld inputs from %zu seeds\n", inputs, seed_count);
    for (size_t i = 0; i < seed_count; i++) oq_mem_free(&mem, seeds[i].data);
    free(data);
    return atomic_load(&mem.used) ? EXIT_FAILURE : EXIT_SUCCESS;
}
