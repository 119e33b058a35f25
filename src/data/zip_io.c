// minizip over our own files: its seven file functions, for reading and for writing.
#include "data/zip_io.h"

#include <string.h>

// One reading position.
typedef struct reading {
    oq_file *file;
    uint64_t at;
    bool failed;
} reading;

static voidpf ZCALLBACK read_open(voidpf opaque, const void *name, int mode) {
    (void)name, (void)mode;
    reading *stream = opaque;
    stream->at = 0;
    return stream;
}

static uLong ZCALLBACK read_read(voidpf opaque, voidpf stream, void *into, uLong size) {
    (void)opaque;
    reading *r = stream;
    const uint64_t left = oq_file_size(r->file) > r->at ? oq_file_size(r->file) - r->at : 0;
    const uint64_t count = size < left ? size : left;
    if (count && oq_file_read(r->file, r->at, into, count, NULL) != ONNXQ_OK) {
        r->failed = true;
        return 0;
    }
    r->at += count;
    return count;
}

static uLong ZCALLBACK read_write(voidpf opaque, voidpf stream, const void *from, uLong size) {
    (void)opaque, (void)stream, (void)from, (void)size;
    return 0;
}

static ZPOS64_T ZCALLBACK read_tell(voidpf opaque, voidpf stream) {
    (void)opaque;
    return ((const reading *)stream)->at;
}

// The place that a seek asks for, or -1: `at`, `size` are those of the stream.
static int64_t place_of(uint64_t at, uint64_t size, uint64_t offset, int origin) {
    const uint64_t base = origin == ZLIB_FILEFUNC_SEEK_CUR ? at : origin == ZLIB_FILEFUNC_SEEK_END ? size : 0;
    const uint64_t place = base + offset; // offsets from the end come as negative numbers
    return place > INT64_MAX ? -1 : (int64_t)place;
}

static long ZCALLBACK read_seek(voidpf opaque, voidpf stream, ZPOS64_T offset, int origin) {
    (void)opaque;
    reading *r = stream;
    const int64_t place = place_of(r->at, oq_file_size(r->file), offset, origin);
    if (place < 0) return -1;
    r->at = (uint64_t)place;
    return 0;
}

static int ZCALLBACK read_close(voidpf opaque, voidpf stream) {
    (void)opaque;
    reading *r = stream;
    oq_mem *mem = oq_file_mem(r->file);
    oq_file_release(r->file);
    oq_mem_free(mem, r);
    return 0;
}

static int ZCALLBACK read_error(voidpf opaque, voidpf stream) {
    (void)opaque;
    return ((const reading *)stream)->failed;
}

unzFile oq_unzip_open(oq_file *file) {
    reading *r = oq_mem_calloc(oq_file_mem(file), 1, sizeof *r, NULL);
    if (!r) return NULL;
    r->file = oq_file_retain(file);
    zlib_filefunc64_def functions = {.zopen64_file = read_open,
                                     .zread_file = read_read,
                                     .zwrite_file = read_write,
                                     .ztell64_file = read_tell,
                                     .zseek64_file = read_seek,
                                     .zclose_file = read_close,
                                     .zerror_file = read_error,
                                     .opaque = r};
    // minizip closes the stream itself when it finds no archive.
    return unzOpen2_64(oq_file_path(file), &functions);
}

static voidpf ZCALLBACK write_open(voidpf opaque, const void *name, int mode) {
    (void)name, (void)mode;
    return opaque;
}

static uLong ZCALLBACK write_read(voidpf opaque, voidpf stream, void *into, uLong size) {
    (void)opaque;
    oq_zip_target *t = stream;
    const uint64_t left = t->into->length > t->at ? t->into->length - t->at : 0;
    const uint64_t count = size < left ? size : left;
    if (count) memcpy(into, t->into->data + t->at, count);
    t->at += count;
    return count;
}

static uLong ZCALLBACK write_write(voidpf opaque, voidpf stream, const void *from, uLong size) {
    (void)opaque;
    oq_zip_target *t = stream;
    if (!t->into->failed) {
        if (t->at > t->into->length) return 0;
        const uint64_t behind = t->into->length - t->at;
        const uint64_t over = size < behind ? size : behind; // replaced; the rest is appended
        if (over) memcpy(t->into->data + t->at, from, over);
        oq_text_add_bytes(t->into, (const char *)from + over, size - over);
    }
    // Once memory ran out, which the text remembers, bytes are swallowed: when a write fails, minizip does
    // not free what it holds.
    t->at += size;
    return size;
}

static ZPOS64_T ZCALLBACK write_tell(voidpf opaque, voidpf stream) {
    (void)opaque;
    return ((const oq_zip_target *)stream)->at;
}

static long ZCALLBACK write_seek(voidpf opaque, voidpf stream, ZPOS64_T offset, int origin) {
    (void)opaque;
    oq_zip_target *t = stream;
    const int64_t place = place_of(t->at, t->into->length, offset, origin);
    if (place < 0) return -1;
    t->at = (uint64_t)place;
    return 0;
}

static int ZCALLBACK write_close(voidpf opaque, voidpf stream) {
    (void)opaque, (void)stream;
    return 0;
}

static int ZCALLBACK write_error(voidpf opaque, voidpf stream) {
    (void)opaque;
    return ((const oq_zip_target *)stream)->into->failed;
}

zipFile oq_zip_create(oq_zip_target *target) {
    zlib_filefunc64_def functions = {.zopen64_file = write_open,
                                     .zread_file = write_read,
                                     .zwrite_file = write_write,
                                     .ztell64_file = write_tell,
                                     .zseek64_file = write_seek,
                                     .zclose_file = write_close,
                                     .zerror_file = write_error,
                                     .opaque = target};
    return zipOpen2_64("archive", APPEND_STATUS_CREATE, NULL, &functions);
}
