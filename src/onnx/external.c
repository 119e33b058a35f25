// External data: constants whose bytes lie in another file, which must be inside the model's folder.
#include "onnx/import.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

typedef struct data_place {
    const char *location;
    uint64_t offset, length;
    bool has_length;
} data_place;

static oq_status parse_number(const char *key, const char *text, uint64_t *number, oq_error *err) {
    char *end = NULL;
    errno = 0;
    const unsigned long long value = text[0] >= '0' && text[0] <= '9' ? strtoull(text, &end, 10) : 0;
    if (!end || *end || errno || value > INT64_MAX)
        return oq_fail(err, ONNXQ_BAD_MODEL, "external data: %s '%s' is no number of bytes", key, text);
    *number = value;
    return ONNXQ_OK;
}

static oq_status parse_place(Onnx__StringStringEntryProto *const *entries, size_t count, data_place *out,
                             oq_error *err) {
    *out = (data_place){0};
    for (size_t i = 0; i < count; i++) {
        const char *key = entries[i]->key ? entries[i]->key : "";
        const char *text = entries[i]->value ? entries[i]->value : "";
        if (!strcmp(key, "location")) {
            out->location = text;
        } else if (!strcmp(key, "offset")) {
            OQ_TRY(parse_number(key, text, &out->offset, err));
        } else if (!strcmp(key, "length")) {
            OQ_TRY(parse_number(key, text, &out->length, err));
            out->has_length = true;
        }
    }
    if (!out->location || !out->location[0])
        return oq_fail(err, ONNXQ_BAD_MODEL, "external data without a location: name the file");
    return ONNXQ_OK;
}

// The spelling must stay inside the folder: relative, no `..` component.
static oq_status check_spelling(const char *location, oq_error *err) {
    bool inside = location[0] != '/';
    for (const char *part = location; inside && part;) {
        const char *slash = strchr(part, '/');
        const size_t length = slash ? (size_t)(slash - part) : strlen(part);
        inside = !(length == 2 && part[0] == '.' && part[1] == '.');
        part = slash ? slash + 1 : NULL;
    }
    if (inside) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL,
                   "external data in '%s' are refused: only files inside the model's own folder are read",
                   location);
}

static oq_status resolve(oq_mem *mem, const char *path, char **out, oq_error *err) {
    char buffer[PATH_MAX];
    if (!realpath(path, buffer)) {
        oq_fail(err, ONNXQ_IO, "cannot open external data '%s': %s", path, strerror(errno));
        oq_error_at_file(err, path);
        return ONNXQ_IO;
    }
    const size_t size = strlen(buffer) + 1;
    *out = oq_mem_alloc(mem, size, err);
    if (!*out) return ONNXQ_NO_MEMORY;
    memcpy(*out, buffer, size);
    return ONNXQ_OK;
}

static bool is_inside(const char *folder, const char *path) {
    const size_t length = strlen(folder);
    if (length == 1 && folder[0] == '/') return true;
    return !strncmp(folder, path, length) && path[length] == '/';
}

// Opens what `location` leads to, symbolic links followed, unless they lead out of the folder.
static oq_status open_inside(oq_importer *importer, const char *location, oq_file **file, oq_error *err) {
    oq_mem *mem = importer->model->mem;
    if (!importer->path)
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "external data in '%s', but the model was given as bytes: load it from its file",
                       location);
    OQ_TRY(check_spelling(location, err));
    oq_status status = ONNXQ_NO_MEMORY;
    char *path = NULL, *real = NULL;
    char *folder = oq_path_folder(mem, importer->path, err);
    if (!folder) goto done;
    if (!importer->folder) OQ_TRY_DONE(resolve(mem, folder, &importer->folder, err));
    status = ONNXQ_NO_MEMORY;
    path = oq_path_join(mem, folder, location, err);
    if (!path) goto done;
    OQ_TRY_DONE(resolve(mem, path, &real, err));
    if (is_inside(importer->folder, real))
        status = oq_file_open(mem, real, file, err);
    else
        status =
            oq_fail(err, ONNXQ_BAD_MODEL,
                    "external data in '%s' are refused: the link leads out of the model's folder", location);
done:
    oq_mem_free(mem, folder);
    oq_mem_free(mem, path);
    oq_mem_free(mem, real);
    return status;
}

// Each file is opened once, however many constants lie in it.
static oq_status find_file(oq_importer *importer, const char *location, oq_file **file, oq_error *err) {
    oq_mem *mem = importer->model->mem;
    const int32_t index = oq_map_get(&importer->externals, location, -1);
    if (index >= 0) {
        *file = importer->files[index];
        return ONNXQ_OK;
    }
    OQ_TRY(oq_mem_reserve(mem, (void **)&importer->files, importer->file_count, &importer->file_capacity,
                          sizeof(oq_file *), err));
    const char *key = oq_import_text(importer, location, err);
    if (!key) return ONNXQ_NO_MEMORY;
    OQ_TRY(open_inside(importer, location, file, err));
    importer->files[importer->file_count++] = *file;
    return oq_map_set(&importer->externals, key, (int32_t)(importer->file_count - 1), err);
}

oq_status oq_import_external(oq_importer *importer, Onnx__StringStringEntryProto *const *entries,
                             size_t count, uint64_t length, oq_constant *constant, oq_error *err) {
    data_place place;
    OQ_TRY(parse_place(entries, count, &place, err));
    oq_file *file = NULL;
    OQ_TRY(find_file(importer, place.location, &file, err));
    if (place.has_length && place.length != length)
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "external data of %llu bytes where shape and type need %llu ('%s')",
                       (unsigned long long)place.length, (unsigned long long)length, place.location);
    const uint64_t size = oq_file_size(file);
    if (place.offset > size || length > size - place.offset)
        return oq_fail(
            err, ONNXQ_BAD_MODEL,
            "external data beyond the end of '%s': bytes %llu to %llu of %llu; the file is cut off, "
            "or not the one that belongs to the model",
            place.location, (unsigned long long)place.offset,
            (unsigned long long)place.offset + (unsigned long long)length, (unsigned long long)size);
    constant->file = oq_file_retain(file);
    constant->offset = place.offset;
    constant->length = length;
    constant->external = true;
    return ONNXQ_OK;
}
