// Deflated bytes with places to come back to: copies of zlib's state on the way.
#include "data/inflater.h"

#include <zlib.h>

enum { PLACES = 64, LEAST_STEP = 256 << 10, BUFFER = 16384 };

// Where unpacking stands: behind `at` unpacked and `taken` packed bytes, without those still in the buffer.
typedef struct state {
    z_stream z;
    bool live;
    uint64_t at, taken;
    uLong crc; // of what was unpacked
} state;

struct oq_inflater {
    oq_mem *mem;
    oq_deflated from;
    uint64_t step; // places are so far from each other
    state now, places[PLACES];
    uint8_t buffer[BUFFER];
};

static voidpf allocate(voidpf mem, uInt count, uInt size) { return oq_mem_calloc(mem, count, size, NULL); }

static void give_back(voidpf mem, voidpf block) { oq_mem_free(mem, block); }

oq_status oq_inflater_new(oq_mem *mem, const oq_deflated *deflated, oq_inflater **out, oq_error *err) {
    oq_inflater *inflater = oq_mem_calloc(mem, 1, sizeof *inflater, err);
    *out = inflater;
    if (!inflater) return ONNXQ_NO_MEMORY;
    inflater->mem = mem;
    inflater->from = *deflated;
    inflater->step = deflated->size / PLACES + 1;
    if (inflater->step < LEAST_STEP) inflater->step = LEAST_STEP;
    return ONNXQ_OK;
}

static void end(state *s) {
    if (s->live) inflateEnd(&s->z);
    s->live = false;
}

void oq_inflater_free(oq_inflater *inflater) {
    if (!inflater) return;
    end(&inflater->now);
    for (size_t i = 0; i < PLACES; i++) end(&inflater->places[i]);
    oq_mem_free(inflater->mem, inflater);
}

uint64_t oq_inflater_at(const oq_inflater *inflater) { return inflater->now.at; }

static oq_status no_memory(const oq_inflater *inflater, oq_error *err) {
    return oq_fail(err, ONNXQ_NO_MEMORY, "out of memory while unpacking '%s'",
                   oq_file_path(inflater->from.file));
}

static oq_status begin(oq_inflater *inflater, oq_error *err) {
    inflater->now = (state){.z = {.zalloc = allocate, .zfree = give_back, .opaque = inflater->mem}};
    inflater->now.crc = crc32(0, NULL, 0);
    if (inflateInit2(&inflater->now.z, -MAX_WBITS) != Z_OK) return no_memory(inflater, err);
    inflater->now.live = true;
    return ONNXQ_OK;
}

// What is in the buffer will be read again. False without memory.
static bool copy(const state *from, state *into) {
    state *source = (state *)(uintptr_t)from; // zlib copies from what is not const
    *into = *from;
    into->live = inflateCopy(&into->z, &source->z) == Z_OK;
    into->z.avail_in = 0;
    into->taken -= from->z.avail_in;
    return into->live;
}

oq_status oq_inflater_seek(oq_inflater *inflater, uint64_t at, oq_error *err) {
    const state *best = inflater->now.live && inflater->now.at <= at ? &inflater->now : NULL;
    for (size_t i = 0; i < PLACES; i++) {
        const state *place = &inflater->places[i];
        if (place->live && place->at <= at && (!best || place->at > best->at)) best = place;
    }
    if (best == &inflater->now) return ONNXQ_OK;
    end(&inflater->now);
    return best && copy(best, &inflater->now) ? ONNXQ_OK : begin(inflater, err);
}

// Failure to keep a place only costs time.
static void keep_place(oq_inflater *inflater) {
    const uint64_t number = inflater->now.at / inflater->step;
    if (number && number < PLACES && !inflater->places[number].live)
        copy(&inflater->now, &inflater->places[number]);
}

// The buffer again, where it is empty and there is more: what zlib has taken in may still hold much to come.
static oq_status fill(oq_inflater *inflater) {
    state *now = &inflater->now;
    const uint64_t left = inflater->from.packed - now->taken, count = left < BUFFER ? left : BUFFER;
    if (now->z.avail_in || !count) return ONNXQ_OK;
    if (oq_file_read(inflater->from.file, inflater->from.offset + now->taken, inflater->buffer, count,
                     NULL) != ONNXQ_OK)
        return ONNXQ_BAD_DATA;
    now->z.next_in = inflater->buffer;
    now->z.avail_in = (uInt)count;
    now->taken += count;
    return ONNXQ_OK;
}

// At least one byte, at most `count`; *got: how many.
static oq_status unpack(oq_inflater *inflater, uint8_t *into, size_t count, size_t *got, oq_error *err) {
    z_stream *z = &inflater->now.z;
    z->next_out = into;
    z->avail_out = (uInt)count;
    while (z->avail_out == count) {
        OQ_TRY(fill(inflater));
        const int result = inflate(z, Z_NO_FLUSH);
        if (result == Z_MEM_ERROR) return no_memory(inflater, err);
        if (result != Z_OK && !(result == Z_STREAM_END && z->avail_out < count)) return ONNXQ_BAD_DATA;
    }
    *got = count - z->avail_out;
    return ONNXQ_OK;
}

static oq_status read_on(oq_inflater *inflater, uint8_t *into, uint64_t count, oq_error *err) {
    uint8_t skipped[BUFFER];
    state *now = &inflater->now;
    while (count) {
        const uint64_t most = into ? UINT64_C(1) << 30 : sizeof skipped;
        uint8_t *to = into ? into : skipped;
        size_t got = 0;
        OQ_TRY(unpack(inflater, to, count < most ? count : most, &got, err));
        now->crc = crc32_z(now->crc, to, got);
        now->at += got;
        if (into) into += got;
        count -= got;
    }
    return now->at == inflater->from.size && now->crc != inflater->from.crc ? ONNXQ_BAD_DATA : ONNXQ_OK;
}

oq_status oq_inflater_read(oq_inflater *inflater, void *into, uint64_t count, oq_error *err) {
    if (inflater->now.live) keep_place(inflater);
    const oq_status status = read_on(inflater, into, count, err);
    if (status != ONNXQ_OK) end(&inflater->now);
    return status;
}
