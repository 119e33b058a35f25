// Path helpers: taking apart, joining, looking, listing.
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const char *oq_path_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static char *copy_text(oq_mem *mem, const char *text, size_t length, oq_error *err) {
    char *copy = oq_mem_alloc(mem, length + 1, err);
    if (!copy) return NULL;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *oq_path_folder(oq_mem *mem, const char *path, oq_error *err) {
    const char *slash = strrchr(path, '/');
    if (!slash) return copy_text(mem, ".", 1, err);
    return copy_text(mem, path, slash == path ? 1 : (size_t)(slash - path), err);
}

char *oq_path_join(oq_mem *mem, const char *folder, const char *name, oq_error *err) {
    const size_t n = strlen(folder);
    const size_t m = strlen(name);
    const size_t slash = n && folder[n - 1] != '/';
    char *path = oq_mem_alloc(mem, n + slash + m + 1, err);
    if (!path) return NULL;
    memcpy(path, folder, n);
    if (slash) path[n] = '/';
    memcpy(path + n + slash, name, m);
    path[n + slash + m] = '\0';
    return path;
}

bool oq_path_is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool oq_path_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0;
}

oq_status oq_path_make_folder(const char *path, oq_error *err) {
    if (!mkdir(path, 0777) || (errno == EEXIST && oq_path_is_folder(path))) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_IO, "cannot make the folder '%s': %s", path, strerror(errno));
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

oq_status oq_path_list(oq_mem *mem, const char *folder, char ***names, size_t *count, oq_error *err) {
    *names = NULL;
    *count = 0;
    DIR *stream = opendir(folder);
    if (!stream) return oq_fail(err, ONNXQ_IO, "cannot list the folder '%s': %s", folder, strerror(errno));
    oq_status status = ONNXQ_OK;
    void *list = NULL;
    size_t capacity = 0;
    while (true) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (!entry && errno) {
            status = oq_fail(err, ONNXQ_IO, "cannot list the folder '%s': %s", folder, strerror(errno));
            goto done;
        }
        if (!entry) break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        OQ_TRY_DONE(oq_mem_reserve(mem, &list, *count, &capacity, sizeof(char *), err));
        char *name = copy_text(mem, entry->d_name, strlen(entry->d_name), err);
        if (!name) {
            status = ONNXQ_NO_MEMORY;
            goto done;
        }
        ((char **)list)[(*count)++] = name;
    }
    if (*count) qsort(list, *count, sizeof(char *), by_name);
done:
    closedir(stream);
    *names = list;
    if (status != ONNXQ_OK) {
        oq_path_list_free(mem, *names, *count);
        *names = NULL;
        *count = 0;
    }
    return status;
}

void oq_path_list_free(oq_mem *mem, char **names, size_t count) {
    for (size_t i = 0; i < count; i++) oq_mem_free(mem, names[i]);
    oq_mem_free(mem, names);
}
