// Data sets: sources to parts, runs by number, labels, hashes.
#include "data/dataset.h"

#include <stdio.h>
#include <string.h>

// Copies a type; names of dimensions become the data set's own.
static oq_status copy_type(oq_arena *arena, const oq_type *from, oq_type *into, oq_error *err) {
    *into = *from;
    into->elem = NULL; // only the kind counts
    for (int i = 0; i < from->rank; i++) {
        if (!from->dim[i].symbol) continue;
        into->dim[i].symbol = oq_arena_strdup(arena, from->dim[i].symbol, err);
        if (!into->dim[i].symbol) return ONNXQ_NO_MEMORY;
    }
    return ONNXQ_OK;
}

static oq_status take_inputs(oq_dataset *data, const oq_graph *graph, oq_error *err) {
    data->inputs = oq_arena_calloc(&data->arena, graph->input_count + 1, sizeof *data->inputs, err);
    if (!data->inputs) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < graph->input_count; i++) {
        const oq_gvalue *value = oq_graph_value(graph, graph->inputs[i]);
        if (value->initializer) continue;
        data_input *input = &data->inputs[data->input_count++];
        input->name = oq_arena_strdup(&data->arena, value->name, err);
        if (!input->name) return ONNXQ_NO_MEMORY;
        input->bounded = value->bounded, input->low = value->low, input->high = value->high;
        OQ_TRY(copy_type(&data->arena, &value->type, &input->type, err));
        if (input->type.kind == OQ_TYPE_UNKNOWN) input->type.rank = -1;
    }
    return ONNXQ_OK;
}

oq_status oq_dataset_new(oq_mem *mem, const oq_graph *graph, oq_dataset **out, oq_error *err) {
    *out = NULL;
    oq_dataset *data = oq_mem_calloc(mem, 1, sizeof *data, err);
    if (!data) return ONNXQ_NO_MEMORY;
    data->mem = mem;
    oq_arena_init(&data->arena, mem);
    oq_text_init(&data->note, mem);
    const oq_status status = take_inputs(data, graph, err);
    if (status == ONNXQ_OK)
        *out = data;
    else
        oq_dataset_free(data);
    return status;
}

void oq_dataset_free(oq_dataset *data) {
    if (!data) return;
    if (data->of) {
        oq_dataset_release_order(data);
        return;
    }
    for (size_t p = 0; p < data->part_count; p++) {
        data_part *part = &data->parts[p];
        for (size_t i = 0; part->rows && i < data->input_count; i++) oq_rows_free(part->rows[i]);
        oq_npz_close(part->npz);
    }
    oq_mem_free(data->mem, data->parts);
    oq_text_release(&data->note);
    oq_arena_release(&data->arena);
    oq_mem_free(data->mem, data);
}

oq_status oq_dataset_add_part(oq_dataset *data, part_kind kind, const char *title, data_part **out,
                              oq_error *err) {
    void *list = data->parts;
    OQ_TRY(
        oq_mem_reserve(data->mem, &list, data->part_count, &data->part_capacity, sizeof *data->parts, err));
    data->parts = list;
    data_part part = {.kind = kind, .begin = data->count, .batch = 1};
    part.title = oq_arena_strdup(&data->arena, title, err);
    if (!part.title) return ONNXQ_NO_MEMORY;
    if (kind == PART_ROWS) {
        const size_t count = data->input_count + 1;
        part.rows = oq_arena_calloc(&data->arena, count, sizeof(oq_rows *), err);
        part.steps = oq_arena_calloc(&data->arena, count, sizeof *part.steps, err);
        part.drops = oq_arena_calloc(&data->arena, count, sizeof *part.drops, err);
        if (!part.rows || !part.steps || !part.drops) return ONNXQ_NO_MEMORY;
    }
    data->parts[data->part_count++] = part;
    *out = &data->parts[data->part_count - 1];
    return ONNXQ_OK;
}

void oq_dataset_end_part(oq_dataset *data, size_t runs) {
    data->parts[data->part_count - 1].count = runs;
    data->count += runs;
}

// Arrays given as NAME=FILE.npy until each input has one.
typedef struct named_group {
    oq_rows **rows; // per input
    const char *title;
    size_t given;
} named_group;

static void drop_group(const oq_dataset *data, named_group *group) {
    for (size_t i = 0; group->rows && i < data->input_count; i++) oq_rows_free(group->rows[i]);
    group->given = 0;
}

// Ends a group: every input must have its array.
static oq_status end_group(oq_dataset *data, named_group *group, oq_error *err) {
    if (!group->given) return ONNXQ_OK;
    for (size_t i = 0; i < data->input_count; i++) {
        if (group->rows[i]) continue;
        oq_fail(err, ONNXQ_BAD_DATA, "no data for the input '%s': give %s=FILE.npy", data->inputs[i].name,
                data->inputs[i].name);
        oq_error_at_tensor(err, data->inputs[i].name);
        return ONNXQ_BAD_DATA;
    }
    const oq_status status = oq_part_of_rows(data, group->title, NULL, group->rows, err);
    memset(group->rows, 0, data->input_count * sizeof(oq_rows *));
    group->given = 0;
    return status;
}

static oq_status add_named(oq_dataset *data, named_group *group, const char *source, size_t name_length,
                           oq_error *err) {
    size_t i = 0;
    while (i < data->input_count && (strlen(data->inputs[i].name) != name_length ||
                                     strncmp(data->inputs[i].name, source, name_length) != 0))
        i++;
    if (i == data->input_count)
        return oq_fail(err, ONNXQ_BAD_DATA, "'%.*s' (in '%s') is no input of the model; its first is '%s'",
                       (int)name_length, source, source, data->input_count ? data->inputs[0].name : "");
    if (group->rows[i]) OQ_TRY(end_group(data, group, err));
    const char *path = source + name_length + 1;
    OQ_TRY(oq_rows_of_npy(data->mem, path, &group->rows[i], err));
    if (!group->given++) group->title = oq_path_name(path);
    return ONNXQ_OK;
}

static bool has_ending(const char *path, const char *ending) {
    const size_t n = strlen(path);
    return n > 4 && strcmp(path + n - 4, ending) == 0;
}

static oq_status add_npy(oq_dataset *data, const char *path, oq_error *err) {
    if (data->input_count != 1)
        return oq_fail(err, ONNXQ_BAD_DATA,
                       "'%s' is one array, but the model has %zu inputs; give NAME=FILE.npy for each", path,
                       data->input_count);
    oq_rows *rows = NULL;
    OQ_TRY(oq_rows_of_npy(data->mem, path, &rows, err));
    return oq_part_of_rows(data, oq_path_name(path), NULL, &rows, err);
}

static oq_status add_source(oq_dataset *data, named_group *group, const char *source, oq_error *err) {
    const char *equals = strchr(source, '=');
    if (equals && !oq_path_exists(source))
        return add_named(data, group, source, (size_t)(equals - source), err);
    OQ_TRY(end_group(data, group, err));
    if (oq_path_is_folder(source)) return oq_part_of_folder(data, source, err);
    if (has_ending(source, ".npz")) return oq_part_of_npz(data, source, err);
    if (has_ending(source, ".npy")) return add_npy(data, source, err);
    if (!oq_path_exists(source)) {
        oq_fail(err, ONNXQ_IO, "there is no file or folder '%s'", source);
        oq_error_at_file(err, source);
        return ONNXQ_IO;
    }
    return oq_fail(err, ONNXQ_BAD_DATA,
                   "'%s' is no source of data: give FILE.npz, FILE.npy, NAME=FILE.npy, or a folder", source);
}

oq_status oq_dataset_open(oq_mem *mem, const oq_graph *graph, const char *const *sources, size_t count,
                          oq_dataset **out, oq_error *err) {
    *out = NULL;
    oq_dataset *data = NULL;
    OQ_TRY(oq_dataset_new(mem, graph, &data, err));
    named_group group = {.rows =
                             oq_arena_calloc(&data->arena, data->input_count + 1, sizeof(oq_rows *), err)};
    oq_status status = group.rows ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    if (status == ONNXQ_OK && !data->input_count)
        status = oq_fail(err, ONNXQ_BAD_DATA, "the model has no inputs, so it takes no data");
    for (size_t i = 0; i < count && status == ONNXQ_OK; i++)
        status = add_source(data, &group, sources[i], err);
    if (status == ONNXQ_OK) status = end_group(data, &group, err);
    if (status == ONNXQ_OK && !data->count) status = oq_fail(err, ONNXQ_BAD_DATA, "the data hold no samples");
    if (status == ONNXQ_OK && data->note.failed)
        status = oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory to open the data");
    drop_group(data, &group);
    if (status == ONNXQ_OK)
        *out = data;
    else
        oq_dataset_free(data);
    return status;
}

oq_status oq_dataset_synthetic(oq_mem *mem, const oq_graph *graph, size_t samples, uint64_t seed,
                               oq_dataset **out, oq_error *err) {
    *out = NULL;
    oq_dataset *data = NULL;
    data_part *part = NULL;
    OQ_TRY(oq_dataset_new(mem, graph, &data, err));
    const oq_status status = oq_dataset_add_part(data, PART_SYNTHETIC, "made-up data", &part, err);
    if (status != ONNXQ_OK) {
        oq_dataset_free(data);
        return status;
    }
    part->seed = seed;
    for (size_t i = 0; i < data->input_count; i++)
        data->inputs[i].domain = oq_domain_of(mem, graph, oq_graph_find(graph, data->inputs[i].name));
    oq_dataset_end_part(data, samples);
    *out = data;
    return ONNXQ_OK;
}

oq_status oq_dataset_beside(oq_mem *mem, const oq_graph *graph, const char *model_path, oq_dataset **out,
                            oq_error *err) {
    *out = NULL;
    if (!model_path[0]) return ONNXQ_OK; // a model made in memory
    oq_dataset *data = NULL;
    OQ_TRY(oq_dataset_new(mem, graph, &data, err));
    bool found = false;
    char *folder = oq_path_folder(mem, model_path, err);
    const oq_status status = folder ? oq_part_of_sets(data, folder, &found, err) : ONNXQ_NO_MEMORY;
    oq_mem_free(mem, folder);
    if (status == ONNXQ_OK && found)
        *out = data;
    else
        oq_dataset_free(data);
    return status;
}

size_t oq_dataset_count(const oq_dataset *data) { return data->count; }

bool oq_dataset_is_synthetic(const oq_dataset *data) {
    return data->part_count && data->parts[0].kind == PART_SYNTHETIC;
}

const char *oq_dataset_note(const oq_dataset *data) {
    return data->note.length ? oq_text_get(&data->note) : NULL;
}

// The part that holds run `index`; *local is its number there.
static const data_part *part_of(const oq_dataset *data, size_t index, size_t *local) {
    size_t p = 0;
    if (data->order) index = data->order[index];
    while (p + 1 < data->part_count && index >= data->parts[p + 1].begin) p++;
    *local = index - data->parts[p].begin;
    return &data->parts[p];
}

void oq_dataset_rows(const oq_dataset *data, size_t index, size_t *real, size_t *rows) {
    size_t local = 0;
    const data_part *part = part_of(data, index, &local);
    *rows = (size_t)part->batch;
    *real = *rows;
    if (part->kind != PART_ROWS) return;
    const size_t left = (size_t)oq_part_rows_total(data, part) - local * *rows;
    if (left < *real) *real = left;
}

const char *oq_dataset_label(const oq_dataset *data, size_t index, char *buffer, size_t size) {
    size_t local = 0;
    const data_part *part = part_of(data, index, &local);
    if (part->paths) {
        snprintf(buffer, size, "%s", oq_path_name(part->paths[local]));
    } else if (part->batch > 1) {
        size_t real = 0;
        size_t rows = 0;
        oq_dataset_rows(data, index, &real, &rows);
        if (part->row_order)
            snprintf(buffer, size, "%s sample %lld and %zu others", part->title,
                     (long long)part->row_order[local * rows], real - 1);
        else
            snprintf(buffer, size, "%s samples %zu to %zu", part->title, local * rows,
                     local * rows + real - 1);
    } else {
        snprintf(buffer, size, "%s sample %zu", part->title, local);
    }
    return buffer;
}

static void release_all(const oq_dataset *data, oq_value *values) {
    for (size_t i = 0; i < data->input_count; i++) oq_value_release(&values[i]);
}

oq_status oq_dataset_get(const oq_dataset *data, size_t index, oq_value *inputs, oq_error *err) {
    memset(inputs, 0, data->input_count * sizeof *inputs);
    if (index >= data->count)
        return oq_fail(err, ONNXQ_INTERNAL, "sample %zu of %zu was asked for", index, data->count);
    size_t local = 0;
    const data_part *part = part_of(data, index, &local);
    char label[256];
    oq_dataset_label(data, index, label, sizeof label);
    oq_status status = part->kind == PART_ROWS        ? oq_part_rows_get(data, part, local, inputs, err)
                       : part->kind == PART_SYNTHETIC ? oq_part_synthetic_get(data, part, local, inputs, err)
                                                      : oq_part_files_get(data, part, local, inputs, err);
    if (status == ONNXQ_OK) status = oq_match_symbols(data, inputs, label, err);
    if (status != ONNXQ_OK) release_all(data, inputs);
    return status;
}
