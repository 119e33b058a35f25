// Writing models: whole or not at all, payloads streamed, external data first.
#include "base/hash.h"
#include "onnx/export.h"
#include "onnx/onnx.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_MINIMUM 1024 // bytes of a constant that goes into the data file

static void init(oq_exporter *exporter, const oq_model *model, oq_error *err) {
    *exporter = (oq_exporter){.model = model, .minimum = DEFAULT_MINIMUM, .err = err};
    oq_arena_init(&exporter->scratch, model->mem);
    oq_rope_init(&exporter->rope, model->mem);
    oq_rope_init(&exporter->data, model->mem);
}

static void release(oq_exporter *exporter) {
    oq_arena_release(&exporter->scratch);
    oq_rope_release(&exporter->rope);
    oq_rope_release(&exporter->data);
}

// Builds the ropes from the start.
static oq_status build(oq_exporter *exporter) {
    oq_mem *mem = exporter->model->mem;
    release(exporter);
    oq_arena_init(&exporter->scratch, mem);
    oq_rope_init(&exporter->rope, mem);
    oq_rope_init(&exporter->data, mem);
    OQ_TRY(oq_export_model(exporter));
    return oq_rope_check(&exporter->data, exporter->err);
}

static bool has_external(const oq_model *model) {
    for (const oq_constant *constant = model->constants; constant; constant = constant->next)
        if (constant->external) return true;
    return false;
}

static oq_status put_file(void *self, const void *bytes, size_t count, oq_error *err) {
    return oq_writer_write(self, bytes, count, err);
}

static oq_status put_hash(void *self, const void *bytes, size_t count, oq_error *err) {
    (void)err;
    oq_hasher_add(self, bytes, count);
    return ONNXQ_OK;
}

oq_status oq_onnx_format(const oq_model *model, oq_text *into, oq_error *err) {
    oq_exporter exporter;
    init(&exporter, model, err);
    exporter.rehome = has_external(model);
    oq_status status = oq_export_model(&exporter);
    if (status == ONNXQ_OK && exporter.rope.size > OQ_LARGEST_MESSAGE)
        status =
            oq_fail(err, ONNXQ_UNSUPPORTED, "the model has %llu bytes; only a file can hold more than 2 GiB",
                    (unsigned long long)exporter.rope.size);
    if (status == ONNXQ_OK) status = oq_rope_format(&exporter.rope, into, err);
    release(&exporter);
    return status;
}

oq_status oq_onnx_size(const oq_model *model, uint64_t *bytes, oq_error *err) {
    oq_exporter exporter;
    init(&exporter, model, err);
    exporter.rehome = has_external(model);
    const oq_status status = oq_export_model(&exporter);
    *bytes = exporter.rope.size + exporter.data.size;
    release(&exporter);
    return status;
}

// --- files ---

static oq_status write_rope(const oq_rope *rope, oq_mem *mem, const char *path, oq_error *err) {
    oq_writer *writer = NULL;
    OQ_TRY(oq_writer_open(mem, path, &writer, err));
    const oq_sink sink = {writer, put_file};
    const oq_status status = oq_rope_write(rope, &sink, err);
    if (status == ONNXQ_OK) return oq_writer_commit(writer, err);
    oq_writer_abort(writer);
    return status;
}

static bool same_folder(oq_mem *mem, const char *a, const char *b) {
    char *folder_a = oq_path_folder(mem, a, NULL), *folder_b = oq_path_folder(mem, b, NULL);
    struct stat info_a, info_b;
    const bool same = folder_a && folder_b && !stat(folder_a, &info_a) && !stat(folder_b, &info_b) &&
                      info_a.st_dev == info_b.st_dev && info_a.st_ino == info_b.st_ino;
    oq_mem_free(mem, folder_a);
    oq_mem_free(mem, folder_b);
    return same;
}

static oq_status hash_rope(const oq_rope *rope, oq_mem *mem, oq_hash *hash, oq_error *err) {
    oq_hasher *hasher = NULL;
    OQ_TRY(oq_hasher_new(mem, &hasher, err));
    const oq_sink sink = {hasher, put_hash};
    const oq_status status = oq_rope_write(rope, &sink, err);
    *hash = oq_hasher_end(hasher);
    return status;
}

// Whether the file that is there under the name of its contents really has them.
static bool has_content(oq_mem *mem, const char *path, uint64_t size, oq_hash hash) {
    oq_file *file = NULL;
    oq_hash found = {0};
    if (oq_file_open(mem, path, &file, NULL) != ONNXQ_OK) return false;
    oq_rope rope;
    oq_rope_init(&rope, mem);
    oq_rope_add_range(&rope, file, 0, oq_file_size(file));
    const bool same = oq_file_size(file) == size && hash_rope(&rope, mem, &found, NULL) == ONNXQ_OK &&
                      oq_hash_equal(found, hash);
    oq_rope_release(&rope);
    oq_file_release(file);
    return same;
}

// Names the data by their contents and writes them, unless a file already holds just them. A file is never
// overwritten: another model may live on it. `created` receives the path of a new file.
static oq_status write_data(oq_exporter *exporter, char *location, const char *path, char **created) {
    oq_mem *mem = exporter->model->mem;
    oq_error *err = exporter->err;
    oq_hash hash;
    char digits[33];
    OQ_TRY(hash_rope(&exporter->data, mem, &hash, err));
    memcpy(location, oq_hash_format(hash, digits), 32);
    char *folder = oq_path_folder(mem, path, err);
    if (!folder) return ONNXQ_NO_MEMORY;
    char *target = oq_path_join(mem, folder, location, err);
    oq_mem_free(mem, folder);
    if (!target) return ONNXQ_NO_MEMORY;
    oq_status status = ONNXQ_OK;
    if (!oq_path_exists(target)) {
        status = write_rope(&exporter->data, mem, target, err);
        if (status == ONNXQ_OK) {
            *created = target;
            return ONNXQ_OK;
        }
    } else if (!has_content(mem, target, exporter->data.size, hash)) {
        status =
            oq_fail(err, ONNXQ_IO, "'%s' is there with other contents than its name says; remove it", target);
        oq_error_at_file(err, target);
    }
    oq_mem_free(mem, target);
    return status;
}

static oq_status build_for_file(oq_exporter *exporter, const oq_onnx_save_options *options,
                                const char *path) {
    const oq_model *model = exporter->model;
    exporter->rehome = has_external(model) && !same_folder(model->mem, model->path, path);
    exporter->outside = exporter->rehome || (options && options->external_data);
    if (options && options->external_minimum) exporter->minimum = options->external_minimum;
    OQ_TRY(build(exporter));
    if (exporter->outside || exporter->rope.size <= OQ_LARGEST_MESSAGE) return ONNXQ_OK;
    exporter->outside = true;
    return build(exporter);
}

oq_status oq_onnx_save(const oq_model *model, const char *path, const oq_onnx_save_options *options,
                       oq_error *err) {
    oq_exporter exporter;
    init(&exporter, model, err);
    // Filled in when the contents are known.
    char location[] = "00000000000000000000000000000000.data";
    exporter.location = location;
    char *created = NULL;
    oq_status status = build_for_file(&exporter, options, path);
    if (status == ONNXQ_OK && exporter.rope.size > OQ_LARGEST_MESSAGE)
        status = oq_fail(err, ONNXQ_UNSUPPORTED,
                         "'%s' would be a message of %llu bytes even without its constants", path,
                         (unsigned long long)exporter.rope.size);
    if (status == ONNXQ_OK && exporter.data.size) status = write_data(&exporter, location, path, &created);
    if (status == ONNXQ_OK) status = write_rope(&exporter.rope, model->mem, path, err);
    if (status != ONNXQ_OK && created) unlink(created);
    oq_mem_free(model->mem, created);
    release(&exporter);
    return status;
}
