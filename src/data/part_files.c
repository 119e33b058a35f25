// Sources with one file, or one folder, a sample: folders of .npz, .npy, test_data_set_*.
#include "data/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool ends_with(const char *text, const char *end) {
    const size_t n = strlen(text);
    const size_t m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

static bool begins_with(const char *text, const char *begin) {
    return strncmp(text, begin, strlen(begin)) == 0;
}

#define SET_PREFIX "test_data_set_"

// Which entries of a folder a part takes.
static bool takes(part_kind kind, const char *name) {
    switch (kind) {
    case PART_NPZ_FILES: return ends_with(name, ".npz");
    case PART_NPY_FILES: return ends_with(name, ".npy");
    default: return begins_with(name, SET_PREFIX);
    }
}

// The numbers behind test_data_set_ count: 2 comes before 10.
static int by_number(const void *a, const void *b) {
    const char *one = oq_path_name(*(const char *const *)a);
    const char *two = oq_path_name(*(const char *const *)b);
    const unsigned long long x = strtoull(one + strlen(SET_PREFIX), NULL, 10);
    const unsigned long long y = strtoull(two + strlen(SET_PREFIX), NULL, 10);
    return x != y ? (x > y) - (x < y) : strcmp(one, two);
}

// A part of the entries of a folder that `kind` takes.
static oq_status add_entries(oq_dataset *data, const char *folder, part_kind kind, char **names, size_t count,
                             oq_error *err) {
    data_part *part = NULL;
    OQ_TRY(oq_dataset_add_part(data, kind, folder, &part, err));
    part->paths = oq_arena_calloc(&data->arena, count, sizeof *part->paths, err);
    if (!part->paths) return ONNXQ_NO_MEMORY;
    size_t taken = 0;
    for (size_t i = 0; i < count; i++) {
        if (!takes(kind, names[i])) continue;
        const char *between = ends_with(folder, "/") ? "" : "/";
        part->paths[taken] = oq_arena_printf(&data->arena, err, "%s%s%s", folder, between, names[i]);
        if (!part->paths[taken++]) return ONNXQ_NO_MEMORY;
    }
    if (kind == PART_SETS) qsort(part->paths, taken, sizeof *part->paths, by_number);
    oq_dataset_end_part(data, taken);
    return ONNXQ_OK;
}

static oq_status only_one_input(const oq_dataset *data, const char *path, oq_error *err) {
    if (data->input_count == 1) return ONNXQ_OK;
    return oq_fail(
        err, ONNXQ_BAD_DATA,
        "'%s' holds single arrays, but the model has %zu inputs; give NAME=FILE.npy for each, or .npz "
        "files with arrays named after them",
        path, data->input_count);
}

// The first file of a folder tells early whether the names fit, and what is left over.
static oq_status try_first(oq_dataset *data, const char *path, oq_error *err) {
    oq_npz *npz = NULL;
    OQ_TRY(oq_npz_open(data->mem, path, &npz, err));
    size_t *indices = oq_mem_calloc(data->mem, data->input_count + 1, sizeof *indices, err);
    oq_status status =
        indices ? oq_match_names(data, data, npz, oq_path_name(path), indices, err) : ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < data->input_count && status == ONNXQ_OK; i++) {
        oq_npy_header header;
        status = oq_npz_header(npz, indices[i], &header, err);
        if (status == ONNXQ_OK)
            status = oq_match_array(&data->inputs[i], header.dtype, &header.shape, oq_path_name(path), err);
    }
    oq_mem_free(data->mem, indices);
    oq_npz_close(npz);
    return status;
}

// What a folder holds decides how it is read; several kinds at once are refused.
static oq_status add_folder(oq_dataset *data, const char *path, char **names, size_t count, oq_error *err) {
    size_t npz = 0;
    size_t npy = 0;
    size_t sets = 0;
    bool is_set = false;
    for (size_t i = 0; i < count; i++) {
        npz += takes(PART_NPZ_FILES, names[i]);
        npy += takes(PART_NPY_FILES, names[i]);
        sets += takes(PART_SETS, names[i]);
        is_set = is_set || strcmp(names[i], "input_0.pb") == 0;
    }
    if ((npz > 0) + (npy > 0) + (sets > 0) + is_set > 1)
        return oq_fail(
            err, ONNXQ_BAD_DATA,
            "the folder '%s' holds samples of several kinds (.npz, .npy, test_data_set_*); put each kind "
            "into its own",
            path);
    if (is_set) {
        data_part *part = NULL;
        OQ_TRY(oq_dataset_add_part(data, PART_SETS, path, &part, err));
        part->paths = oq_arena_calloc(&data->arena, 1, sizeof *part->paths, err);
        if (!part->paths) return ONNXQ_NO_MEMORY;
        part->paths[0] = part->title;
        oq_dataset_end_part(data, 1);
        return ONNXQ_OK;
    }
    if (sets) return add_entries(data, path, PART_SETS, names, count, err);
    if (npy) OQ_TRY(only_one_input(data, path, err));
    if (npy) return add_entries(data, path, PART_NPY_FILES, names, count, err);
    if (!npz)
        return oq_fail(err, ONNXQ_BAD_DATA, "the folder '%s' holds no .npz, no .npy and no test_data_set_*",
                       path);
    OQ_TRY(add_entries(data, path, PART_NPZ_FILES, names, count, err));
    return try_first(data, data->parts[data->part_count - 1].paths[0], err);
}

oq_status oq_part_of_folder(oq_dataset *data, const char *path, oq_error *err) {
    char **names = NULL;
    size_t count = 0;
    OQ_TRY(oq_path_list(data->mem, path, &names, &count, err));
    const oq_status status = add_folder(data, path, names, count, err);
    oq_path_list_free(data->mem, names, count);
    return status;
}

oq_status oq_part_of_sets(oq_dataset *data, const char *folder, bool *found, oq_error *err) {
    char **names = NULL;
    size_t count = 0;
    *found = false;
    OQ_TRY(oq_path_list(data->mem, folder, &names, &count, err));
    for (size_t i = 0; i < count; i++) *found = *found || takes(PART_SETS, names[i]);
    const oq_status status = *found ? add_entries(data, folder, PART_SETS, names, count, err) : ONNXQ_OK;
    oq_path_list_free(data->mem, names, count);
    return status;
}

// Checks a tensor that was given whole for an input, and takes its reference over.
static oq_status take_tensor(const oq_dataset *data, size_t i, oq_tensor tensor, const char *where,
                             oq_value *out, oq_error *err) {
    oq_status status = oq_match_array(&data->inputs[i], tensor.dtype, &tensor.shape, where, err);
    if (status == ONNXQ_OK) status = oq_match_convert(data->mem, &data->inputs[i], &tensor, where, err);
    if (status == ONNXQ_OK)
        *out = oq_value_of_tensor(tensor);
    else
        oq_tensor_release(&tensor);
    return status;
}

static oq_status get_npz(const oq_dataset *data, const char *path, const char *where, oq_value *values,
                         oq_error *err) {
    oq_npz *npz = NULL;
    OQ_TRY(oq_npz_open(data->mem, path, &npz, err));
    size_t *indices = oq_mem_calloc(data->mem, data->input_count + 1, sizeof *indices, err);
    oq_status status = indices ? oq_match_names(NULL, data, npz, where, indices, err) : ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < data->input_count && status == ONNXQ_OK; i++) {
        oq_tensor tensor;
        status = oq_npz_get(npz, indices[i], &tensor, err);
        if (status == ONNXQ_OK) status = take_tensor(data, i, tensor, where, &values[i], err);
    }
    oq_mem_free(data->mem, indices);
    oq_npz_close(npz);
    return status;
}

static oq_status get_npy(const oq_dataset *data, const char *path, const char *where, oq_value *values,
                         oq_error *err) {
    uint8_t *bytes = NULL;
    size_t count = 0;
    oq_tensor tensor;
    OQ_TRY(oq_file_read_all(data->mem, path, &bytes, &count, err));
    const oq_status status = oq_npy_parse(data->mem, bytes, count, path, &tensor, err);
    oq_mem_free(data->mem, bytes);
    OQ_TRY(status);
    return take_tensor(data, 0, tensor, where, &values[0], err);
}

// Input k of a test_data_set folder: input_<k>.pb, whose message depends on the kind of the model's input.
static oq_status get_message(const oq_dataset *data, const char *folder, size_t k, oq_value *out,
                             oq_error *err) {
    static const oq_value_kind kinds[] = {
        [OQ_TYPE_UNKNOWN] = OQ_VALUE_TENSOR,    [OQ_TYPE_TENSOR] = OQ_VALUE_TENSOR,
        [OQ_TYPE_SPARSE] = OQ_VALUE_TENSOR,     [OQ_TYPE_SEQUENCE] = OQ_VALUE_SEQUENCE,
        [OQ_TYPE_OPTIONAL] = OQ_VALUE_OPTIONAL, [OQ_TYPE_MAP] = OQ_VALUE_MAP};
    char name[64];
    snprintf(name, sizeof name, "input_%zu.pb", k);
    char *path = oq_path_join(data->mem, folder, name, err);
    uint8_t *bytes = NULL;
    size_t count = 0;
    oq_value value = {0};
    oq_status status = path ? oq_file_read_all(data->mem, path, &bytes, &count, err) : ONNXQ_NO_MEMORY;
    if (status == ONNXQ_OK)
        status =
            oq_onnx_parse_value(data->mem, bytes, count, kinds[data->inputs[k].type.kind], path, &value, err);
    if (status == ONNXQ_OK && value.kind == OQ_VALUE_TENSOR)
        status = take_tensor(data, k, value.tensor, path, out, err);
    else if (status == ONNXQ_OK)
        *out = value;
    oq_mem_free(data->mem, bytes);
    oq_mem_free(data->mem, path);
    return status;
}

oq_status oq_part_files_get(const oq_dataset *data, const data_part *part, size_t run, oq_value *values,
                            oq_error *err) {
    const char *path = part->paths[run];
    const char *where = oq_path_name(path);
    if (part->kind == PART_NPZ_FILES) return get_npz(data, path, where, values, err);
    if (part->kind == PART_NPY_FILES) return get_npy(data, path, where, values, err);
    for (size_t k = 0; k < data->input_count; k++) OQ_TRY(get_message(data, path, k, &values[k], err));
    return ONNXQ_OK;
}
