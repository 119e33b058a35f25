// minizip over our own files: archives are read through oq_file and made in memory.
#ifndef OQ_DATA_ZIP_IO_H
#define OQ_DATA_ZIP_IO_H

#include "base/file.h"
#include "base/text.h"

#include <unzip.h>
#include <zip.h>

// A new reading position in an archive; NULL when it is none, or memory is short. Closed by unzClose; the
// file must live as long.
unzFile oq_unzip_open(oq_file *file);

// An archive that grows in `into` (empty at the beginning). Ended by zipClose; then into->failed tells
// whether memory was short, which minizip does not get to know.
typedef struct oq_zip_target {
    oq_text *into;
    uint64_t at; // minizip goes back to complete what it wrote
} oq_zip_target;
zipFile oq_zip_create(oq_zip_target *target);

#endif
