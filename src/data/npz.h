// What the files of this room know of an archive beyond data.h: headers of entries, reading them in portions.
#ifndef OQ_DATA_NPZ_H
#define OQ_DATA_NPZ_H

#include "data/data.h"
#include "data/inflater.h"
#include "data/zip_io.h"
#include "tensor/npy.h"

// Index of the array `name`, or SIZE_MAX.
size_t oq_npz_find(const oq_npz *npz, const char *name);
// "calib.npz: input" for errors, into `buffer`.
const char *oq_npz_title(const oq_npz *npz, size_t index, char *buffer, size_t size);
oq_status oq_npz_header(const oq_npz *npz, size_t index, oq_npy_header *out, oq_error *err);
// Where the bytes of a stored (not deflated) entry begin in the archive file; *file is not retained.
bool oq_npz_stored(const oq_npz *npz, size_t index, oq_file **file, uint64_t *offset);

// The same of a deflated one, for reading from several places.
oq_deflated oq_npz_deflated(const oq_npz *npz, size_t index);
oq_status oq_npz_damaged(const oq_npz *npz, size_t index,
                         oq_error *err); // BAD_DATA: bytes that do not unpack

// A position inside the bytes of one entry, which only goes forward.
typedef struct oq_npz_stream {
    const oq_npz *npz;
    size_t index;
    unzFile zip; // NULL: not open
    uint64_t at; // bytes read so far
} oq_npz_stream;

oq_status oq_npz_stream_open(const oq_npz *npz, size_t index, oq_npz_stream *out, oq_error *err);
// Exactly `count` bytes; NULL `into` skips them.
oq_status oq_npz_stream_read(oq_npz_stream *stream, void *into, uint64_t count, oq_error *err);
// Ends it; when all bytes were read, a wrong checksum is an error.
oq_status oq_npz_stream_close(oq_npz_stream *stream, oq_error *err);

#endif
