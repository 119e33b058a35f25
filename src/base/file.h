// Files: reading ranges of untrusted ones, writing whole ones or none at all.
#ifndef OQ_BASE_FILE_H
#define OQ_BASE_FILE_H

#include "base/mem.h"

// An open file that is read by range; refcounted, thread-safe (pread). It stays readable when the path is
// replaced.
typedef struct oq_file oq_file;

oq_status oq_file_open(oq_mem *mem, const char *path, oq_file **out, oq_error *err);
// A copy of `bytes` that is read like a file; `name` stands for its path.
oq_status oq_file_of_bytes(oq_mem *mem, const char *name, const uint8_t *bytes, size_t count, oq_file **out,
                           oq_error *err);
oq_file *oq_file_retain(oq_file *file);
void oq_file_release(oq_file *file); // NULL is allowed
const char *oq_file_path(const oq_file *file);
oq_mem *oq_file_mem(const oq_file *file);   // that it was opened with
uint64_t oq_file_size(const oq_file *file); // bytes, when it was opened
// Reads exactly `count` bytes; a file that ends earlier (shrunk meanwhile) is an error that names path and
// offset.
oq_status oq_file_read(const oq_file *file, uint64_t offset, void *into, size_t count, oq_error *err);
// The whole file into a block of `mem`; the caller frees it.
oq_status oq_file_read_all(oq_mem *mem, const char *path, uint8_t **bytes, size_t *count, oq_error *err);

// A file in the making: a temporary name beside the target; commit makes it whole (fsync, rename), abort
// removes it.
typedef struct oq_writer oq_writer;

oq_status oq_writer_open(oq_mem *mem, const char *path, oq_writer **out, oq_error *err);
oq_status oq_writer_write(oq_writer *writer, const void *bytes, size_t count, oq_error *err);
uint64_t oq_writer_offset(const oq_writer *writer); // bytes written so far
// Ends the writer in both cases; after a failed commit nothing is left on disk.
oq_status oq_writer_commit(oq_writer *writer, oq_error *err);
void oq_writer_abort(oq_writer *writer); // NULL is allowed

// Path helpers; results go into `mem` blocks that the caller frees. `folder_of` gives "." for a bare name.
char *oq_path_folder(oq_mem *mem, const char *path, oq_error *err);
char *oq_path_join(oq_mem *mem, const char *folder, const char *name, oq_error *err);
const char *oq_path_name(const char *path); // the part behind the last slash, inside `path`
bool oq_path_is_folder(const char *path);
bool oq_path_exists(const char *path);
oq_status oq_path_make_folder(const char *path, oq_error *err); // its parent is there; it may be there too
// The names in a folder, sorted bytewise, without . and ..; each and the list itself are blocks of `mem`.
oq_status oq_path_list(oq_mem *mem, const char *folder, char ***names, size_t *count, oq_error *err);
void oq_path_list_free(oq_mem *mem, char **names, size_t count);

#endif
