// Deflated bytes, read from front to back or from places on the way where the state was kept.
#ifndef OQ_DATA_INFLATER_H
#define OQ_DATA_INFLATER_H

#include "base/file.h"

// What is unpacked: `packed` bytes of raw deflate at `offset` of the file, which give `size` bytes with this
// CRC-32. The file must live as long as what reads it.
typedef struct oq_deflated {
    oq_file *file;
    uint64_t offset, packed, size;
    uint32_t crc;
} oq_deflated;

typedef struct oq_inflater oq_inflater;

// Not thread-safe. Memory: 40 kB a kept state, of which there are at most 64, one in 256 kB or more.
oq_status oq_inflater_new(oq_mem *mem, const oq_deflated *deflated, oq_inflater **out, oq_error *err);
void oq_inflater_free(oq_inflater *inflater); // NULL is allowed
// Number of the byte that is read next. Seeking goes to the nearest place at or before `at` that is at hand.
uint64_t oq_inflater_at(const oq_inflater *inflater);
oq_status oq_inflater_seek(oq_inflater *inflater, uint64_t at, oq_error *err);
// Exactly `count` bytes; NULL `into` skips them. Places to come back to are beginnings of readings. BAD_DATA,
// whose sentence is the caller's to write, when the bytes do not unpack, or when the last one was read and
// the checksum is wrong.
oq_status oq_inflater_read(oq_inflater *inflater, void *into, uint64_t count, oq_error *err);

#endif
