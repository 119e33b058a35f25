// Writing files whole or not at all: a temporary file beside the target, synced, then renamed over it.
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES ((size_t)1 << 18)
#define MOST_LINKS   40 // as many as Linux itself follows

struct oq_writer {
    oq_mem *mem;
    int descriptor;
    char *shown;     // path as the caller gave it, for errors
    char *target;    // where the bytes go: `shown` with links followed
    char *temporary; // NULL: the target is a device or pipe and is written directly
    uint64_t offset;
    size_t buffered;
    uint8_t buffer[BUFFER_BYTES];
};

static oq_status cannot_write(const oq_writer *writer, int reason, oq_error *err) {
    oq_fail(err, ONNXQ_IO, "cannot write '%s': %s", writer->shown, strerror(reason));
    oq_error_at_file(err, writer->shown);
    return ONNXQ_IO;
}

static char *copy_path(oq_mem *mem, const char *path, oq_error *err) {
    const size_t size = strlen(path) + 1;
    char *copy = oq_mem_alloc(mem, size, err);
    return copy ? memcpy(copy, path, size) : NULL;
}

// Replaces writer->target by what its links lead to; the last one may lead to nothing yet.
static oq_status follow_links(oq_writer *writer, oq_error *err) {
    for (int hop = 0; hop < MOST_LINKS; hop++) {
        char link[4096];
        const ssize_t length = readlink(writer->target, link, sizeof link - 1);
        if (length < 0) return ONNXQ_OK; // not a link, or nothing there
        if ((size_t)length >= sizeof link - 1) return cannot_write(writer, ENAMETOOLONG, err);
        link[length] = '\0';
        char *next = NULL;
        if (link[0] == '/') {
            next = copy_path(writer->mem, link, err);
        } else {
            char *folder = oq_path_folder(writer->mem, writer->target, err);
            if (folder) next = oq_path_join(writer->mem, folder, link, err);
            oq_mem_free(writer->mem, folder);
        }
        if (!next) return ONNXQ_NO_MEMORY;
        oq_mem_free(writer->mem, writer->target);
        writer->target = next;
    }
    return cannot_write(writer, ELOOP, err);
}

// Creates the temporary file in the target's folder under a name that nobody can guess.
static oq_status create_temporary(oq_writer *writer, oq_error *err) {
    char *folder = oq_path_folder(writer->mem, writer->target, err);
    if (!folder) return ONNXQ_NO_MEMORY;
    oq_status status = ONNXQ_OK;
    for (int attempt = 0; attempt < 16; attempt++) {
        uint64_t random = 0;
        if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) {
            status = cannot_write(writer, errno, err);
            break;
        }
        char name[64];
        snprintf(name, sizeof name, ".onnxq-%016llx.tmp", (unsigned long long)random);
        oq_mem_free(writer->mem, writer->temporary);
        writer->temporary = oq_path_join(writer->mem, folder, name, err);
        if (!writer->temporary) {
            status = ONNXQ_NO_MEMORY;
            break;
        }
        writer->descriptor =
            open(writer->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
        if (writer->descriptor >= 0 || errno != EEXIST) break;
    }
    if (status == ONNXQ_OK && writer->descriptor < 0) {
        status = cannot_write(writer, errno, err);
        oq_mem_free(writer->mem, writer->temporary);
        writer->temporary = NULL; // not ours to remove
    }
    oq_mem_free(writer->mem, folder);
    return status;
}

// Opens what the bytes go into: a temporary file with the permissions of a replaced target, or a device.
static oq_status open_target(oq_writer *writer, oq_error *err) {
    struct stat info;
    const bool there = stat(writer->target, &info) == 0;
    if (there && S_ISDIR(info.st_mode)) return cannot_write(writer, EISDIR, err);
    if (there && access(writer->target, W_OK) != 0) return cannot_write(writer, errno, err);
    if (there && !S_ISREG(info.st_mode)) {
        writer->descriptor = open(writer->target, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        return writer->descriptor < 0 ? cannot_write(writer, errno, err) : ONNXQ_OK;
    }
    OQ_TRY(create_temporary(writer, err));
    if (!there) return ONNXQ_OK;
    // Owner and group only where allowed (root); the mode after them, since chown drops bits of it.
    if ((info.st_uid != geteuid() || info.st_gid != getegid()) &&
        fchown(writer->descriptor, info.st_uid, info.st_gid) != 0)
        errno = 0;
    if (fchmod(writer->descriptor, info.st_mode & 0777) != 0) return cannot_write(writer, errno, err);
    return ONNXQ_OK;
}

oq_status oq_writer_open(oq_mem *mem, const char *path, oq_writer **out, oq_error *err) {
    *out = NULL;
    if (!path[0]) return oq_fail(err, ONNXQ_IO, "cannot write a file without a name");
    oq_writer *writer = oq_mem_alloc(mem, sizeof *writer, err);
    if (!writer) return ONNXQ_NO_MEMORY;
    memset(writer, 0, offsetof(oq_writer, buffer));
    writer->mem = mem;
    writer->descriptor = -1;
    oq_status status = ONNXQ_NO_MEMORY;
    writer->shown = copy_path(mem, path, err);
    if (!writer->shown) goto done;
    writer->target = copy_path(mem, path, err);
    if (!writer->target) goto done;
    OQ_TRY_DONE(follow_links(writer, err));
    OQ_TRY_DONE(open_target(writer, err));
    *out = writer;
done:
    if (status != ONNXQ_OK) oq_writer_abort(writer);
    return status;
}

static oq_status write_out(oq_writer *writer, const uint8_t *bytes, size_t count, oq_error *err) {
    while (count) {
        const ssize_t done = write(writer->descriptor, bytes, count);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return cannot_write(writer, errno, err);
        bytes += done;
        count -= (size_t)done;
    }
    return ONNXQ_OK;
}

static oq_status flush(oq_writer *writer, oq_error *err) {
    const size_t count = writer->buffered;
    writer->buffered = 0;
    return write_out(writer, writer->buffer, count, err);
}

oq_status oq_writer_write(oq_writer *writer, const void *bytes, size_t count, oq_error *err) {
    if (count > BUFFER_BYTES - writer->buffered) OQ_TRY(flush(writer, err));
    if (count > BUFFER_BYTES) {
        OQ_TRY(write_out(writer, bytes, count, err));
    } else if (count) {
        memcpy(writer->buffer + writer->buffered, bytes, count);
        writer->buffered += count;
    }
    writer->offset += count;
    return ONNXQ_OK;
}

uint64_t oq_writer_offset(const oq_writer *writer) { return writer->offset; }

// Makes the rename itself durable. A failure here is not reported: the file is whole and in its place.
static void sync_folder(const oq_writer *writer) {
    char *folder = oq_path_folder(writer->mem, writer->target, NULL);
    if (!folder) return;
    const int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    oq_mem_free(writer->mem, folder);
    if (descriptor < 0) return;
    fsync(descriptor);
    close(descriptor);
}

// Closes and forgets the file; an error of close counts, since some file systems report a full disk there.
static oq_status close_file(oq_writer *writer, oq_error *err) {
    const int failed = close(writer->descriptor);
    writer->descriptor = -1;
    return failed ? cannot_write(writer, errno, err) : ONNXQ_OK;
}

oq_status oq_writer_commit(oq_writer *writer, oq_error *err) {
    oq_status status = flush(writer, err);
    if (status == ONNXQ_OK && writer->temporary && fsync(writer->descriptor) != 0)
        status = cannot_write(writer, errno, err);
    if (status == ONNXQ_OK) status = close_file(writer, err);
    if (status == ONNXQ_OK && writer->temporary) {
        if (rename(writer->temporary, writer->target) != 0) {
            status = cannot_write(writer, errno, err);
        } else {
            sync_folder(writer);
            oq_mem_free(writer->mem, writer->temporary);
            writer->temporary = NULL; // nothing left to remove
        }
    }
    oq_writer_abort(writer);
    return status;
}

void oq_writer_abort(oq_writer *writer) {
    if (!writer) return;
    if (writer->descriptor >= 0) close(writer->descriptor);
    if (writer->temporary) unlink(writer->temporary);
    oq_mem_free(writer->mem, writer->temporary);
    oq_mem_free(writer->mem, writer->target);
    oq_mem_free(writer->mem, writer->shown);
    oq_mem_free(writer->mem, writer);
}
