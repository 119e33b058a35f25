// Writing .npz archives: stored entries, made in memory, written whole or not at all.
#include "data/npz.h"

#include <stdio.h>
#include <string.h>

#define LARGEST_FRONT 65536 // header of an array, at most

static oq_status cannot_pack(const char *path, const oq_text *archive, oq_error *err) {
    if (archive->failed) return oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory to make '%s'", path);
    return oq_fail(err, ONNXQ_INTERNAL, "the archive '%s' cannot be made", path);
}

// minizip takes at most 4 GiB at a time.
static bool put_bytes(zipFile zip, const void *bytes, size_t count) {
    const size_t most = (size_t)1 << 30;
    for (size_t done = 0; done < count; done += most) {
        const size_t left = count - done;
        const unsigned portion = (unsigned)(left < most ? left : most);
        if (zipWriteInFileInZip(zip, (const char *)bytes + done, portion) != ZIP_OK) return false;
    }
    return true;
}

static oq_status add_array(zipFile zip, const char *path, const char *name, const oq_tensor *tensor,
                           oq_text *archive, oq_error *err) {
    // The first day of the format's calendar: the same arrays give the same bytes.
    const zip_fileinfo info = {.tmz_date = {.tm_year = 1980, .tm_mon = 0, .tm_mday = 1}};
    oq_text header;
    oq_text entry;
    oq_text_init(&header, archive->mem);
    oq_text_init(&entry, archive->mem);
    oq_text_printf(&entry, "%s.npy", name);
    oq_status status = oq_npy_format_header(tensor->dtype, &tensor->shape, &header, err);
    const size_t bytes = oq_tensor_bytes(tensor);
    const int zip64 = bytes >= UINT32_MAX - LARGEST_FRONT;
    if (status == ONNXQ_OK) {
        const bool packed = !entry.failed &&
                            zipOpenNewFileInZip64(zip, oq_text_get(&entry), &info, NULL, 0, NULL, 0, NULL, 0,
                                                  0, zip64) == ZIP_OK &&
                            put_bytes(zip, oq_text_get(&header), header.length) &&
                            put_bytes(zip, tensor->data, bytes) && zipCloseFileInZip(zip) == ZIP_OK;
        if (!packed) status = cannot_pack(path, archive, err);
    }
    oq_text_release(&header);
    oq_text_release(&entry);
    return status;
}

oq_status oq_npz_write(oq_mem *mem, const char *path, const char *const *names, const oq_tensor *tensors,
                       size_t count, oq_error *err) {
    oq_text archive;
    oq_text_init(&archive, mem);
    oq_zip_target target = {.into = &archive};
    zipFile zip = oq_zip_create(&target);
    oq_status status = zip ? ONNXQ_OK : cannot_pack(path, &archive, err);
    for (size_t i = 0; i < count && status == ONNXQ_OK; i++)
        status = add_array(zip, path, names[i], &tensors[i], &archive, err);
    if (zip && (zipClose(zip, NULL) != ZIP_OK || archive.failed) && status == ONNXQ_OK)
        status = cannot_pack(path, &archive, err);
    oq_writer *writer = NULL;
    if (status == ONNXQ_OK) status = oq_writer_open(mem, path, &writer, err);
    if (status == ONNXQ_OK) status = oq_writer_write(writer, oq_text_get(&archive), archive.length, err);
    if (status == ONNXQ_OK)
        status = oq_writer_commit(writer, err);
    else
        oq_writer_abort(writer);
    oq_text_release(&archive);
    return status;
}
