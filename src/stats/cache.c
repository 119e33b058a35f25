// The statistics cache: finding, storing, and removing what was not used for longest.
#include "stats/cache.h"
#include "base/file.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".statistics"

oq_status oq_cache_key_name(oq_cache_key *key, oq_mem *mem, const bool *observed, const int *axis,
                            size_t count, oq_error *err) {
    oq_hasher *hasher = NULL;
    OQ_TRY(oq_hasher_new(mem, &hasher, err));
    oq_hasher_add(hasher, oq_source_hash, strlen(oq_source_hash));
    oq_hasher_add(hasher, &key->model, sizeof key->model);
    oq_hasher_add(hasher, &key->data, sizeof key->data);
    oq_hasher_add(hasher, observed, count * sizeof *observed);
    oq_hasher_add(hasher, axis, count * sizeof *axis);
    key->name = oq_hasher_end(hasher);
    return ONNXQ_OK;
}

static char *path_of(oq_mem *mem, const char *folder, const oq_cache_key *key, oq_error *err) {
    char hash[33], name[sizeof hash + sizeof SUFFIX];
    snprintf(name, sizeof name, "%s" SUFFIX, oq_hash_format(key->name, hash));
    return oq_path_join(mem, folder, name, err);
}

static oq_status load(oq_mem *mem, const char *path, const oq_cache_key *key, oq_stats **out, oq_error *err) {
    OQ_TRY(oq_stats_load(mem, path, out, err));
    if (oq_hash_equal((*out)->model, key->model) && oq_hash_equal((*out)->data, key->data)) return ONNXQ_OK;
    oq_stats_free(*out);
    *out = NULL;
    return oq_fail(err, ONNXQ_BAD_DATA, "'%s' holds statistics of another model or of other data", path);
}

oq_status oq_cache_find(oq_mem *mem, const char *folder, const oq_cache_key *key, oq_stats **out,
                        oq_error *err) {
    *out = NULL;
    char *path = path_of(mem, folder, key, err);
    if (!path) return ONNXQ_NO_MEMORY;
    oq_status status = ONNXQ_OK;
    if (oq_path_exists(path)) status = load(mem, path, key, out, err);
    if (*out) utimensat(AT_FDCWD, path, NULL, 0); // where that fails, it is removed sooner
    oq_mem_free(mem, path);
    return status;
}

// With the folders around it; the user's own, as the XDG Base Directory Specification asks.
static oq_status make_folder(oq_mem *mem, const char *folder, oq_error *err) {
    if (oq_path_is_folder(folder)) return ONNXQ_OK;
    char *path = oq_path_join(mem, folder, "", err);
    if (!path) return ONNXQ_NO_MEMORY;
    oq_status status = ONNXQ_OK;
    for (char *at = path + 1; *at && status == ONNXQ_OK; at++) {
        if (*at != '/') continue;
        *at = 0;
        if (mkdir(path, 0700) && errno != EEXIST)
            status = oq_fail(err, ONNXQ_IO, "cannot make the folder '%s': %s", path, strerror(errno));
        *at = '/';
    }
    oq_mem_free(mem, path);
    return status;
}

// --- size ---

typedef struct entry {
    uint64_t bytes;
    struct timespec used;
} entry;

// Statistics, and what an interrupted writer left.
static bool is_ours(const char *name) {
    return oq_glob_match("*" SUFFIX, name) || oq_glob_match(".onnxq-*.tmp", name);
}

static bool is_older(const entry *a, const entry *b) {
    if (a->used.tv_sec != b->used.tv_sec) return a->used.tv_sec < b->used.tv_sec;
    return a->used.tv_nsec < b->used.tv_nsec;
}

// A file that cannot be looked at (removed meanwhile by another process) counts nothing.
static entry look(oq_mem *mem, const char *folder, const char *name) {
    oq_error ignored = {0};
    struct stat facts;
    entry found = {0};
    char *path = is_ours(name) ? oq_path_join(mem, folder, name, &ignored) : NULL;
    if (path && stat(path, &facts) == 0 && facts.st_size > 0)
        found = (entry){.bytes = (uint64_t)facts.st_size, .used = facts.st_mtim};
    oq_mem_free(mem, path);
    return found;
}

static void remove_file(oq_mem *mem, const char *folder, const char *name) {
    oq_error ignored = {0};
    char *path = oq_path_join(mem, folder, name, &ignored);
    if (path) unlink(path);
    oq_mem_free(mem, path);
}

static void remove_oldest(oq_mem *mem, const char *folder, char **names, entry *entries, size_t count) {
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) total += (entries[i] = look(mem, folder, names[i])).bytes;
    while (total > OQ_CACHE_BYTES) {
        size_t oldest = SIZE_MAX;
        for (size_t i = 0; i < count; i++)
            if (entries[i].bytes && (oldest == SIZE_MAX || is_older(&entries[i], &entries[oldest])))
                oldest = i;
        remove_file(mem, folder, names[oldest]);
        total -= entries[oldest].bytes;
        entries[oldest].bytes = 0;
    }
}

static oq_status trim(oq_mem *mem, const char *folder, oq_error *err) {
    char **names = NULL;
    size_t count = 0;
    OQ_TRY(oq_path_list(mem, folder, &names, &count, err));
    entry *entries = oq_mem_calloc(mem, count + 1, sizeof *entries, err);
    if (entries) remove_oldest(mem, folder, names, entries, count);
    oq_mem_free(mem, entries);
    oq_path_list_free(mem, names, count);
    return entries ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

static bool is_finite(const oq_stats *stats) {
    for (size_t i = 0; i < stats->count; i++)
        if (stats->tensors[i]->nan || stats->tensors[i]->infinite) return false;
    return true;
}

oq_status oq_cache_store(const oq_stats *stats, const char *folder, const oq_cache_key *key, oq_error *err) {
    if (!is_finite(stats)) return ONNXQ_OK;
    OQ_TRY(make_folder(stats->mem, folder, err));
    char *path = path_of(stats->mem, folder, key, err);
    if (!path) return ONNXQ_NO_MEMORY;
    const oq_status status = oq_stats_save(stats, path, err);
    oq_mem_free(stats->mem, path);
    return status == ONNXQ_OK ? trim(stats->mem, folder, err) : status;
}
