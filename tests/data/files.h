// Files that tests of data make: arrays under names, archives with chosen compression, models with chosen
// inputs.
#ifndef OQ_TESTS_DATA_FILES_H
#define OQ_TESTS_DATA_FILES_H

#include "data/data.h"
#include "support/support.h"
#include "tensor/npy.h"

#include <stdio.h>
#include <string.h>
#include <zip.h>

static oq_mem mem;
static oq_error err;
static char folder[512];

// A path inside the test's folder, in one of a few static buffers.
static const char *path_of(const char *name) {
    static char paths[8][1024];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

// float32 values begin, begin + 1, ... of a shape.
static inline oq_tensor counting(oq_shape shape, float begin) {
    oq_tensor tensor;
    CK_OK(oq_tensor_new(&mem, ONNXQ_FLOAT, &shape, &tensor, &err), &err);
    for (int64_t i = 0; i < oq_tensor_count(&tensor); i++) ((float *)tensor.data)[i] = begin + (float)i;
    return tensor;
}

static inline oq_tensor of_int64(oq_shape shape, const int64_t *values, oq_dtype dtype) {
    oq_tensor tensor;
    CK_OK(oq_tensor_new(&mem, dtype, &shape, &tensor, &err), &err);
    oq_store_i64(dtype, values, tensor.data, (size_t)oq_tensor_count(&tensor));
    return tensor;
}

static inline void write_bytes(const char *path, const void *bytes, size_t count) {
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, count, file), count);
    fclose(file);
}

// Writes one .npy and gives the tensor back.
static inline void write_npy(const char *path, oq_tensor tensor) {
    oq_text text;
    oq_text_init(&text, &mem);
    CK_OK(oq_npy_format(&tensor, &text, &err), &err);
    write_bytes(path, oq_text_get(&text), text.length);
    oq_text_release(&text);
    oq_tensor_release(&tensor);
}

typedef struct packing {
    int level; // 0 = stored
    int zip64; // with the extra fields of large archives
} packing;

static inline void pack_bytes(zipFile zip, const char *name, packing how, const void *bytes, size_t count) {
    const zip_fileinfo info = {0};
    ck_assert_int_eq(zipOpenNewFileInZip64(zip, name, &info, NULL, 0, NULL, 0, NULL,
                                           how.level ? Z_DEFLATED : 0, how.level, how.zip64),
                     ZIP_OK);
    ck_assert_int_eq(zipWriteInFileInZip(zip, bytes, (unsigned)count), ZIP_OK);
    ck_assert_int_eq(zipCloseFileInZip(zip), ZIP_OK);
}

// One more array in an archive; gives the tensor back.
static inline void pack(zipFile zip, const char *name, packing how, oq_tensor tensor) {
    char entry[256];
    snprintf(entry, sizeof entry, "%s.npy", name);
    oq_text text;
    oq_text_init(&text, &mem);
    CK_OK(oq_npy_format(&tensor, &text, &err), &err);
    pack_bytes(zip, entry, how, oq_text_get(&text), text.length);
    oq_text_release(&text);
    oq_tensor_release(&tensor);
}

static inline zipFile new_archive(const char *path) {
    zipFile zip = zipOpen64(path, APPEND_STATUS_CREATE);
    ck_assert_ptr_nonnull(zip);
    return zip;
}

static inline void write_npz(const char *path, const char *name, packing how, oq_tensor tensor) {
    zipFile zip = new_archive(path);
    pack(zip, name, how, tensor);
    zipClose(zip, NULL);
}

static inline oq_model *new_model(void) {
    oq_model *model = NULL;
    CK_OK(oq_model_new(&mem, &model, &err), &err);
    return model;
}

// One more input; sizes -1 are unknown, with the name "N" on axis 0.
static inline void add_input(oq_model *model, const char *name, oq_dtype dtype, int rank,
                             const int64_t *sizes) {
    oq_value_id id;
    oq_dim dims[OQ_MAX_RANK];
    for (int i = 0; i < rank; i++)
        dims[i] = (oq_dim){.size = sizes[i],
                           .symbol = sizes[i] < 0 && !i ? oq_model_intern(model, "N", &err) : NULL};
    CK_OK(oq_graph_add_value(model->graph, name, &id, &err), &err);
    model->graph->values[id]->type = oq_type_tensor(dtype, rank, dims);
    CK_OK(oq_graph_add_input(model->graph, id, &err), &err);
}

static inline void begin_files(void) {
    oq_error_clear(&err);
    test_temporary_folder(folder, sizeof folder);
}

static inline void end_files(void) {
    test_remove_folder(folder);
    ck_assert_uint_eq(mem.used, 0);
}

#endif
