// .npz archives: the directory with its checks, entries as streams and as whole arrays.
#include "data/npz.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LONGEST_NAME   1024
#define LARGEST_HEADER ((size_t)1 << 16)
// Deflate cannot shrink by more than this factor, so a larger one is a lie about sizes.
#define MOST_SHRINKING 1032

typedef struct npz_entry {
    char *name; // without .npy
    unz64_file_pos place;
    uint64_t size, packed; // bytes of the .npy image; as they stand in the archive
    uint64_t data_offset;  // of the packed bytes in the archive
    uint32_t crc;
    bool deflated;
} npz_entry;

struct oq_npz {
    oq_mem *mem;
    oq_file *file;
    npz_entry *entries;
    size_t count, capacity;
};

static oq_status bad_archive(const oq_npz *npz, const char *what, oq_error *err) {
    oq_fail(err, ONNXQ_BAD_DATA, "'%s' is not a usable .npz archive: %s", oq_file_path(npz->file), what);
    oq_error_at_file(err, oq_file_path(npz->file));
    return ONNXQ_BAD_DATA;
}

const char *oq_npz_title(const oq_npz *npz, size_t index, char *buffer, size_t size) {
    snprintf(buffer, size, "%s: %s", oq_path_name(oq_file_path(npz->file)), npz->entries[index].name);
    return buffer;
}

// Whether what the directory says of an entry can be true and is something that we read.
static oq_status check_entry(const oq_npz *npz, const unz_file_info64 *info, oq_error *err) {
    if (info->flag & 1) return bad_archive(npz, "it is encrypted", err);
    if (info->compression_method != 0 && info->compression_method != Z_DEFLATED) {
        oq_fail(err, ONNXQ_BAD_DATA,
                "'%s' is compressed with method %lu; write it with numpy's savez or savez_compressed",
                oq_file_path(npz->file), info->compression_method);
        return ONNXQ_BAD_DATA;
    }
    const bool deflated = info->compression_method == Z_DEFLATED;
    const uint64_t largest = deflated ? (info->compressed_size > UINT64_MAX / MOST_SHRINKING - 1
                                             ? UINT64_MAX
                                             : (info->compressed_size + 1) * MOST_SHRINKING)
                                      : info->compressed_size;
    if (info->compressed_size > oq_file_size(npz->file) || info->uncompressed_size > largest ||
        (!deflated && info->uncompressed_size != info->compressed_size))
        return bad_archive(npz, "the sizes in its directory cannot be true", err);
    return ONNXQ_OK;
}

// Enters the archive's current file when it is an array.
static oq_status add_entry(oq_npz *npz, unzFile zip, oq_error *err) {
    unz_file_info64 info;
    char name[LONGEST_NAME + 1] = "";
    if (unzGetCurrentFileInfo64(zip, &info, name, LONGEST_NAME, NULL, 0, NULL, 0) != UNZ_OK)
        return bad_archive(npz, "its directory is damaged", err);
    if (info.size_filename > LONGEST_NAME || strlen(name) != info.size_filename)
        return bad_archive(npz, "a name in its directory is damaged or longer than 1024 bytes", err);
    const size_t length = strlen(name);
    if (length <= 4 || strcmp(name + length - 4, ".npy") != 0) return ONNXQ_OK;
    name[length - 4] = '\0';
    OQ_TRY(check_entry(npz, &info, err));
    if (oq_npz_find(npz, name) != SIZE_MAX)
        return bad_archive(npz, "it holds two arrays of the same name", err);
    void *list = npz->entries;
    OQ_TRY(oq_mem_reserve(npz->mem, &list, npz->count, &npz->capacity, sizeof *npz->entries, err));
    npz->entries = list;
    npz_entry entry = {.size = info.uncompressed_size,
                       .packed = info.compressed_size,
                       .crc = (uint32_t)info.crc,
                       .deflated = info.compression_method == Z_DEFLATED};
    if (unzGetFilePos64(zip, &entry.place) != UNZ_OK || unzOpenCurrentFile(zip) != UNZ_OK)
        return bad_archive(npz, "an entry differs from its directory", err);
    entry.data_offset = unzGetCurrentFileZStreamPos64(zip);
    unzCloseCurrentFile(zip);
    if (entry.data_offset > oq_file_size(npz->file) - entry.packed)
        return bad_archive(npz, "an entry reaches behind its end", err);
    entry.name = oq_mem_alloc(npz->mem, length - 3, err);
    if (!entry.name) return ONNXQ_NO_MEMORY;
    memcpy(entry.name, name, length - 3);
    npz->entries[npz->count++] = entry;
    return ONNXQ_OK;
}

static oq_status read_directory(oq_npz *npz, oq_error *err) {
    unzFile zip = oq_unzip_open(npz->file);
    if (!zip) return bad_archive(npz, "it has no directory (truncated, or no archive at all)", err);
    oq_status status = ONNXQ_OK;
    unz_global_info64 all;
    int at = unzGetGlobalInfo64(zip, &all);
    if (at == UNZ_OK && all.number_entry) at = unzGoToFirstFile(zip);
    for (uint64_t i = 0; at == UNZ_OK && i < all.number_entry && status == ONNXQ_OK; i++) {
        status = add_entry(npz, zip, err);
        if (i + 1 < all.number_entry) at = unzGoToNextFile(zip);
    }
    unzClose(zip);
    if (status == ONNXQ_OK && at != UNZ_OK) status = bad_archive(npz, "its directory is damaged", err);
    if (status == ONNXQ_OK && !npz->count) status = bad_archive(npz, "it holds no arrays", err);
    return status;
}

oq_status oq_npz_open(oq_mem *mem, const char *path, oq_npz **out, oq_error *err) {
    *out = NULL;
    oq_npz *npz = oq_mem_calloc(mem, 1, sizeof *npz, err);
    if (!npz) return ONNXQ_NO_MEMORY;
    npz->mem = mem;
    oq_status status = oq_file_open(mem, path, &npz->file, err);
    if (status == ONNXQ_OK) status = read_directory(npz, err);
    if (status == ONNXQ_OK)
        *out = npz;
    else
        oq_npz_close(npz);
    return status;
}

void oq_npz_close(oq_npz *npz) {
    if (!npz) return;
    for (size_t i = 0; i < npz->count; i++) oq_mem_free(npz->mem, npz->entries[i].name);
    oq_mem_free(npz->mem, npz->entries);
    oq_file_release(npz->file);
    oq_mem_free(npz->mem, npz);
}

size_t oq_npz_count(const oq_npz *npz) { return npz->count; }

const char *oq_npz_name(const oq_npz *npz, size_t index) { return npz->entries[index].name; }

size_t oq_npz_find(const oq_npz *npz, const char *name) {
    for (size_t i = 0; i < npz->count; i++)
        if (strcmp(npz->entries[i].name, name) == 0) return i;
    return SIZE_MAX;
}

bool oq_npz_stored(const oq_npz *npz, size_t index, oq_file **file, uint64_t *offset) {
    *file = npz->file;
    *offset = npz->entries[index].data_offset;
    return !npz->entries[index].deflated;
}

oq_deflated oq_npz_deflated(const oq_npz *npz, size_t index) {
    const npz_entry *entry = &npz->entries[index];
    return (oq_deflated){.file = npz->file,
                         .offset = entry->data_offset,
                         .packed = entry->packed,
                         .size = entry->size,
                         .crc = entry->crc};
}

oq_status oq_npz_damaged(const oq_npz *npz, size_t index, oq_error *err) {
    char title[512];
    oq_fail(err, ONNXQ_BAD_DATA, "'%s' is damaged: its bytes do not unpack to what the archive promises",
            oq_npz_title(npz, index, title, sizeof title));
    oq_error_at_file(err, oq_file_path(npz->file));
    return ONNXQ_BAD_DATA;
}

oq_status oq_npz_stream_open(const oq_npz *npz, size_t index, oq_npz_stream *out, oq_error *err) {
    *out = (oq_npz_stream){.npz = npz, .index = index};
    out->zip = oq_unzip_open(npz->file);
    if (out->zip && unzGoToFilePos64(out->zip, &npz->entries[index].place) == UNZ_OK &&
        unzOpenCurrentFile(out->zip) == UNZ_OK)
        return ONNXQ_OK;
    if (out->zip) unzClose(out->zip);
    out->zip = NULL;
    return oq_npz_damaged(npz, index, err);
}

oq_status oq_npz_stream_read(oq_npz_stream *stream, void *into, uint64_t count, oq_error *err) {
    uint8_t skipped[16384];
    while (count) {
        const uint64_t most = into ? UINT64_C(1) << 30 : sizeof skipped;
        const unsigned portion = (unsigned)(count < most ? count : most);
        const int got = unzReadCurrentFile(stream->zip, into ? into : skipped, portion);
        if (got <= 0) return oq_npz_damaged(stream->npz, stream->index, err);
        if (into) into = (uint8_t *)into + got;
        stream->at += (uint64_t)got;
        count -= (uint64_t)got;
    }
    return ONNXQ_OK;
}

oq_status oq_npz_stream_close(oq_npz_stream *stream, oq_error *err) {
    if (!stream->zip) return ONNXQ_OK;
    const bool whole = stream->at == stream->npz->entries[stream->index].size;
    const int closed = unzCloseCurrentFile(stream->zip);
    unzClose(stream->zip);
    stream->zip = NULL;
    return whole && closed == UNZ_CRCERROR ? oq_npz_damaged(stream->npz, stream->index, err) : ONNXQ_OK;
}

oq_status oq_npz_header(const oq_npz *npz, size_t index, oq_npy_header *out, oq_error *err) {
    const npz_entry *entry = &npz->entries[index];
    char title[512];
    oq_npz_title(npz, index, title, sizeof title);
    const size_t count = entry->size < LARGEST_HEADER ? (size_t)entry->size : LARGEST_HEADER;
    uint8_t *front = oq_mem_alloc(npz->mem, count, err);
    if (!front) return ONNXQ_NO_MEMORY;
    oq_npz_stream stream = {0};
    oq_status status = oq_npz_stream_open(npz, index, &stream, err);
    if (status == ONNXQ_OK) status = oq_npz_stream_read(&stream, front, count, err);
    if (status == ONNXQ_OK) status = oq_npy_parse_header(front, count, title, out, err);
    if (status == ONNXQ_OK)
        status = oq_npz_stream_close(&stream, err);
    else
        (void)oq_npz_stream_close(&stream, NULL);
    oq_mem_free(npz->mem, front);
    OQ_TRY(status);
    size_t bytes = 0;
    OQ_TRY(oq_shape_check(&out->shape, oq_dtype_bytes(out->dtype), &bytes, err));
    if (entry->size - out->data_offset == bytes) return ONNXQ_OK;
    char shape[256];
    return oq_fail(err, ONNXQ_BAD_DATA, "'%s' says %s%s, %zu bytes, but holds %" PRIu64, title,
                   oq_dtype_info(out->dtype)->name, oq_shape_format(&out->shape, shape, sizeof shape), bytes,
                   entry->size - out->data_offset);
}

oq_status oq_npz_get(const oq_npz *npz, size_t index, oq_tensor *out, oq_error *err) {
    *out = (oq_tensor){0};
    oq_npy_header header;
    OQ_TRY(oq_npz_header(npz, index, &header, err));
    oq_tensor tensor = {0};
    OQ_TRY(oq_tensor_new(npz->mem, header.dtype, &header.shape, &tensor, err));
    const size_t bytes = oq_tensor_bytes(&tensor);
    // Elements in another order need a second block.
    uint8_t *raw = header.fortran && header.shape.rank > 1 ? oq_mem_alloc(npz->mem, bytes, err) : tensor.data;
    oq_npz_stream stream = {0};
    oq_status status = raw ? oq_npz_stream_open(npz, index, &stream, err) : ONNXQ_NO_MEMORY;
    if (status == ONNXQ_OK) status = oq_npz_stream_read(&stream, NULL, header.data_offset, err);
    if (status == ONNXQ_OK) status = oq_npz_stream_read(&stream, raw, bytes, err);
    if (status == ONNXQ_OK)
        status = oq_npz_stream_close(&stream, err);
    else
        (void)oq_npz_stream_close(&stream, NULL);
    if (status == ONNXQ_OK) oq_npy_decode(&header, raw, tensor.data);
    if (raw != tensor.data) oq_mem_free(npz->mem, raw);
    if (status == ONNXQ_OK)
        *out = tensor;
    else
        oq_tensor_release(&tensor);
    return status;
}
