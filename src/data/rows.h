// Arrays on disk whose rows (indices of axis 0) are samples: read one at a time, by any thread.
#ifndef OQ_DATA_ROWS_H
#define OQ_DATA_ROWS_H

#include "data/npz.h"

typedef struct oq_rows oq_rows;

oq_status oq_rows_of_npy(oq_mem *mem, const char *path, oq_rows **out, oq_error *err);
// The archive must live as long.
oq_status oq_rows_of_npz(oq_mem *mem, const oq_npz *npz, size_t index, oq_rows **out, oq_error *err);
void oq_rows_free(oq_rows *rows); // NULL is allowed

oq_dtype oq_rows_dtype(const oq_rows *rows);
const oq_shape *oq_rows_shape(const oq_rows *rows); // of the whole array; rank at least 1
size_t oq_rows_bytes(const oq_rows *rows);          // of one row
// One row, in this machine's byte order, row-major. Rising rows are cheap. Thread-safe.
oq_status oq_rows_read(oq_rows *rows, int64_t row, void *into, oq_error *err);

#endif
