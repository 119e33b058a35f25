// Reading files by range.
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct oq_file {
    atomic_int references;
    oq_mem *mem;
    int descriptor; // -1: the bytes are in memory
    uint64_t size;
    const uint8_t *bytes;
    char path[];
};

static oq_status cannot(const char *what, const char *path, oq_error *err) {
    oq_fail(err, ONNXQ_IO, "cannot %s '%s': %s", what, path, strerror(errno));
    oq_error_at_file(err, path);
    return ONNXQ_IO;
}

oq_status oq_file_open(oq_mem *mem, const char *path, oq_file **out, oq_error *err) {
    *out = NULL;
    // Not blocking: opening a pipe that nobody writes to must not hang before it is refused.
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (descriptor < 0) return cannot("open", path, err);
    struct stat info;
    oq_status status = ONNXQ_OK;
    if (fstat(descriptor, &info) != 0) {
        status = cannot("open", path, err);
    } else if (!S_ISREG(info.st_mode)) {
        status = oq_fail(err, ONNXQ_IO, "cannot read '%s': it is %s, not a file", path,
                         S_ISDIR(info.st_mode) ? "a folder" : "a device or pipe");
        oq_error_at_file(err, path);
    }
    const size_t length = strlen(path);
    oq_file *file = NULL;
    if (status == ONNXQ_OK) {
        file = oq_mem_calloc(mem, 1, sizeof *file + length + 1, err);
        if (!file) status = ONNXQ_NO_MEMORY;
    }
    if (!file) {
        close(descriptor);
        return status;
    }
    atomic_init(&file->references, 1);
    file->mem = mem;
    file->descriptor = descriptor;
    file->size = (uint64_t)info.st_size;
    memcpy(file->path, path, length + 1);
    *out = file;
    return ONNXQ_OK;
}

oq_status oq_file_of_bytes(oq_mem *mem, const char *name, const uint8_t *bytes, size_t count, oq_file **out,
                           oq_error *err) {
    *out = NULL;
    const size_t head = sizeof(oq_file) + strlen(name) + 1;
    size_t total = 0;
    if (!oq_add_size(head, count, &total))
        return oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory for '%s'", name);
    oq_file *file = oq_mem_alloc(mem, total, err);
    if (!file) return ONNXQ_NO_MEMORY;
    uint8_t *copy = (uint8_t *)file + head;
    *file = (oq_file){.mem = mem, .descriptor = -1, .size = count, .bytes = copy};
    atomic_init(&file->references, 1);
    memcpy(file->path, name, strlen(name) + 1);
    if (count) memcpy(copy, bytes, count);
    *out = file;
    return ONNXQ_OK;
}

oq_file *oq_file_retain(oq_file *file) {
    atomic_fetch_add(&file->references, 1);
    return file;
}

void oq_file_release(oq_file *file) {
    if (!file || atomic_fetch_sub(&file->references, 1) != 1) return;
    if (file->descriptor >= 0) close(file->descriptor);
    oq_mem_free(file->mem, file);
}

const char *oq_file_path(const oq_file *file) { return file->path; }

oq_mem *oq_file_mem(const oq_file *file) { return file->mem; }

uint64_t oq_file_size(const oq_file *file) { return file->size; }

static oq_status too_short(const oq_file *file, uint64_t offset, size_t count, oq_error *err) {
    oq_fail(err, ONNXQ_IO, "'%s' ends too early: %zu bytes at offset %llu are not there", file->path, count,
            (unsigned long long)offset);
    oq_error_at_file(err, file->path);
    if (err) err->offset = offset;
    return ONNXQ_IO;
}

oq_status oq_file_read(const oq_file *file, uint64_t offset, void *into, size_t count, oq_error *err) {
    if (offset > INT64_MAX || count > INT64_MAX - offset) return too_short(file, offset, count, err);
    if (file->bytes) {
        if (offset > file->size || count > file->size - offset) return too_short(file, offset, count, err);
        if (count) memcpy(into, file->bytes + offset, count);
        return ONNXQ_OK;
    }
    size_t done = 0;
    while (done < count) {
        const ssize_t got =
            pread(file->descriptor, (char *)into + done, count - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            const oq_status status = cannot("read", file->path, err);
            if (err) err->offset = offset + done;
            return status;
        }
        if (got == 0) return too_short(file, offset, count, err);
        done += (size_t)got;
    }
    return ONNXQ_OK;
}

oq_status oq_file_read_all(oq_mem *mem, const char *path, uint8_t **bytes, size_t *count, oq_error *err) {
    *bytes = NULL;
    *count = 0;
    oq_file *file = NULL;
    OQ_TRY(oq_file_open(mem, path, &file, err));
    oq_status status = ONNXQ_NO_MEMORY;
    const size_t size = file->size > SIZE_MAX ? SIZE_MAX : (size_t)file->size;
    uint8_t *block = oq_mem_alloc(mem, size, err);
    if (block) status = oq_file_read(file, 0, block, size, err);
    if (status == ONNXQ_OK) {
        *bytes = block;
        *count = size;
    } else {
        oq_error_at_file(err, path);
        oq_mem_free(mem, block);
    }
    oq_file_release(file);
    return status;
}
