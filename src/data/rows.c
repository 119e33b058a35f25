// Arrays on disk read row by row: ranges of a file where the bytes are plain, a stream where they are
// deflated.
#include "data/rows.h"

#include <pthread.h>
#include <string.h>

// Rows passed on the way to another are kept for the threads that will ask for them.
#define KEPT_ROWS  8
#define KEPT_BYTES ((size_t)4 << 20)

typedef struct kept_row {
    int64_t row; // -1: none
    uint8_t *bytes;
} kept_row;

struct oq_rows {
    oq_mem *mem;
    oq_npy_header header;
    size_t row_bytes;
    // Plain bytes: at `offset` in `file`.
    oq_file *file;
    uint64_t offset;
    // Column-major arrays have their rows all over the file: the whole array, once it was asked for.
    oq_tensor whole;
    // Deflated bytes: the lock guards everything below.
    const oq_npz *npz;
    size_t index;
    pthread_mutex_t lock;
    oq_inflater *inflater;
    kept_row kept[KEPT_ROWS];
    size_t kept_limit, kept_next;
};

oq_dtype oq_rows_dtype(const oq_rows *rows) { return rows->header.dtype; }

const oq_shape *oq_rows_shape(const oq_rows *rows) { return &rows->header.shape; }

size_t oq_rows_bytes(const oq_rows *rows) { return rows->row_bytes; }

static oq_status rows_new(oq_mem *mem, const oq_npy_header *header, const char *title, oq_rows **out,
                          oq_error *err) {
    const size_t row_bytes =
        (size_t)oq_shape_range_count(&header->shape, 1, header->shape.rank) * oq_dtype_bytes(header->dtype);
    // Rows without bytes could be of any number, however small the file.
    const char *fault = !header->shape.rank ? "is a single number: samples stand along axis 0 of an array"
                        : !row_bytes || !header->shape.dim[0] ? "holds no numbers"
                                                              : NULL;
    if (fault) {
        oq_fail(err, ONNXQ_BAD_DATA, "'%s' %s", title, fault);
        return ONNXQ_BAD_DATA;
    }
    oq_rows *rows = oq_mem_calloc(mem, 1, sizeof *rows, err);
    if (!rows) return ONNXQ_NO_MEMORY;
    rows->mem = mem;
    rows->header = *header;
    rows->row_bytes = row_bytes;
    rows->kept_limit = KEPT_BYTES / row_bytes;
    if (rows->kept_limit > KEPT_ROWS) rows->kept_limit = KEPT_ROWS;
    for (size_t i = 0; i < KEPT_ROWS; i++) rows->kept[i].row = -1;
    pthread_mutex_init(&rows->lock, NULL);
    *out = rows;
    return ONNXQ_OK;
}

void oq_rows_free(oq_rows *rows) {
    if (!rows) return;
    oq_inflater_free(rows->inflater);
    for (size_t i = 0; i < KEPT_ROWS; i++) oq_mem_free(rows->mem, rows->kept[i].bytes);
    oq_tensor_release(&rows->whole);
    oq_file_release(rows->file);
    pthread_mutex_destroy(&rows->lock);
    oq_mem_free(rows->mem, rows);
}

static bool is_scattered(const oq_npy_header *header) { return header->fortran && header->shape.rank > 1; }

// The header of a .npy file, and whether the file is long enough for its elements.
static oq_status file_header(oq_mem *mem, const oq_file *file, oq_npy_header *header, oq_error *err) {
    const size_t most = (size_t)1 << 16;
    const size_t count = oq_file_size(file) < most ? (size_t)oq_file_size(file) : most;
    uint8_t *front = oq_mem_alloc(mem, count, err);
    if (!front) return ONNXQ_NO_MEMORY;
    oq_status status = oq_file_read(file, 0, front, count, err);
    if (status == ONNXQ_OK) status = oq_npy_parse_header(front, count, oq_file_path(file), header, err);
    oq_mem_free(mem, front);
    OQ_TRY(status);
    size_t bytes = 0;
    OQ_TRY(oq_shape_check(&header->shape, oq_dtype_bytes(header->dtype), &bytes, err));
    if (oq_file_size(file) - header->data_offset >= bytes) return ONNXQ_OK;
    oq_fail(err, ONNXQ_BAD_DATA,
            "'%s' ends too early: its header promises %zu bytes of elements, %llu are there",
            oq_file_path(file), bytes, (unsigned long long)(oq_file_size(file) - header->data_offset));
    oq_error_at_file(err, oq_file_path(file));
    return ONNXQ_BAD_DATA;
}

static oq_status load_whole_npy(oq_rows *rows, oq_error *err) {
    uint8_t *bytes = NULL;
    size_t count = 0;
    OQ_TRY(oq_file_read_all(rows->mem, oq_file_path(rows->file), &bytes, &count, err));
    const oq_status status =
        oq_npy_parse(rows->mem, bytes, count, oq_file_path(rows->file), &rows->whole, err);
    oq_mem_free(rows->mem, bytes);
    return status;
}

oq_status oq_rows_of_npy(oq_mem *mem, const char *path, oq_rows **out, oq_error *err) {
    *out = NULL;
    oq_file *file = NULL;
    OQ_TRY(oq_file_open(mem, path, &file, err));
    oq_npy_header header;
    oq_rows *rows = NULL;
    oq_status status = file_header(mem, file, &header, err);
    if (status == ONNXQ_OK) status = rows_new(mem, &header, path, &rows, err);
    if (status != ONNXQ_OK) {
        oq_file_release(file);
        return status;
    }
    rows->file = file;
    rows->offset = header.data_offset;
    if (is_scattered(&header)) status = load_whole_npy(rows, err);
    if (status == ONNXQ_OK)
        *out = rows;
    else
        oq_rows_free(rows);
    return status;
}

oq_status oq_rows_of_npz(oq_mem *mem, const oq_npz *npz, size_t index, oq_rows **out, oq_error *err) {
    *out = NULL;
    oq_npy_header header;
    char title[512];
    oq_rows *rows = NULL;
    OQ_TRY(oq_npz_header(npz, index, &header, err));
    OQ_TRY(rows_new(mem, &header, oq_npz_title(npz, index, title, sizeof title), &rows, err));
    oq_status status = ONNXQ_OK;
    oq_file *file = NULL;
    uint64_t offset = 0;
    if (is_scattered(&header)) {
        status = oq_npz_get(npz, index, &rows->whole, err);
    } else if (oq_npz_stored(npz, index, &file, &offset)) {
        rows->file = oq_file_retain(file);
        rows->offset = offset + header.data_offset;
    } else {
        const oq_deflated deflated = oq_npz_deflated(npz, index);
        rows->npz = npz;
        rows->index = index;
        status = oq_inflater_new(mem, &deflated, &rows->inflater, err);
    }
    if (status == ONNXQ_OK)
        *out = rows;
    else
        oq_rows_free(rows);
    return status;
}

// Keeps a passed row, in place of the oldest; failure to do so only costs time.
static void keep_row(oq_rows *rows, int64_t row, const uint8_t *bytes) {
    kept_row *kept = &rows->kept[rows->kept_next];
    if (!kept->bytes) kept->bytes = oq_mem_alloc(rows->mem, rows->row_bytes, NULL);
    if (!kept->bytes) return;
    memcpy(kept->bytes, bytes, rows->row_bytes);
    kept->row = row;
    rows->kept_next = (rows->kept_next + 1) % rows->kept_limit;
}

// Takes a row that was passed before; each is asked for once in a pass, so it is given up.
static bool take_kept(oq_rows *rows, int64_t row, void *into) {
    for (size_t i = 0; i < rows->kept_limit; i++) {
        if (rows->kept[i].row != row) continue;
        memcpy(into, rows->kept[i].bytes, rows->row_bytes);
        rows->kept[i].row = -1;
        return true;
    }
    return false;
}

// To the beginning of `row`; *next: the row that is read first on the way.
static oq_status seek_row(oq_rows *rows, int64_t row, int64_t *next, oq_error *err) {
    const uint64_t first = rows->header.data_offset, to = first + (uint64_t)row * rows->row_bytes;
    OQ_TRY(oq_inflater_seek(rows->inflater, to, err));
    const uint64_t at = oq_inflater_at(rows->inflater);
    if (at < first) OQ_TRY(oq_inflater_read(rows->inflater, NULL, first - at, err));
    *next = (int64_t)((oq_inflater_at(rows->inflater) - first) / rows->row_bytes);
    return ONNXQ_OK;
}

static oq_status read_deflated(oq_rows *rows, int64_t row, uint8_t *into, oq_error *err) {
    int64_t next = 0;
    if (take_kept(rows, row, into)) return ONNXQ_OK;
    oq_status status = seek_row(rows, row, &next, err);
    // Rows far back are not worth their copy: only the last ones before `row` are kept.
    const int64_t first_kept = row - (int64_t)rows->kept_limit;
    for (; status == ONNXQ_OK && next <= row; next++) {
        status = oq_inflater_read(rows->inflater, into, rows->row_bytes, err);
        if (status == ONNXQ_OK && next < row && next >= first_kept) keep_row(rows, next, into);
    }
    return status == ONNXQ_BAD_DATA ? oq_npz_damaged(rows->npz, rows->index, err) : status;
}

oq_status oq_rows_read(oq_rows *rows, int64_t row, void *into, oq_error *err) {
    if (row < 0 || row >= rows->header.shape.dim[0])
        return oq_fail(err, ONNXQ_INTERNAL, "row %lld is not there", (long long)row);
    const uint64_t offset = (uint64_t)row * rows->row_bytes;
    if (rows->whole.data) {
        memcpy(into, (const uint8_t *)rows->whole.data + offset, rows->row_bytes);
        return ONNXQ_OK;
    }
    if (rows->file) {
        OQ_TRY(oq_file_read(rows->file, rows->offset + offset, into, rows->row_bytes, err));
    } else {
        pthread_mutex_lock(&rows->lock);
        const oq_status status = read_deflated(rows, row, into, err);
        pthread_mutex_unlock(&rows->lock);
        OQ_TRY(status);
    }
    oq_npy_finish(&rows->header, into, rows->row_bytes / oq_dtype_bytes(rows->header.dtype));
    return ONNXQ_OK;
}
