// Loading models: from a file or from bytes, through the scan into the IR.
#include "onnx/import.h"
#include "onnx/onnx.h"

#include <string.h>

static const oq_layout model_layout = {
    .message = &onnx__model_proto__descriptor,
    .apart = {offsetof(Onnx__ModelProto, graph), offsetof(Onnx__ModelProto, functions)},
    .carried = {offsetof(Onnx__ModelProto, training_info), offsetof(Onnx__ModelProto, configuration)}};

// The unknown fields of a small message that protobuf-c has read whole.
static oq_status carry_unknown(oq_importer *importer, const ProtobufCMessage *message, oq_bytes *out,
                               oq_error *err) {
    size_t size = 0;
    for (unsigned i = 0; i < message->n_unknown_fields; i++) size += message->unknown_fields[i].len + 10;
    if (!size) return ONNXQ_OK;
    uint8_t *bytes = oq_arena_alloc(&importer->model->arena, size, err), *at = bytes;
    if (!bytes) return ONNXQ_NO_MEMORY;
    for (unsigned i = 0; i < message->n_unknown_fields; i++) {
        const ProtobufCMessageUnknownField *field = &message->unknown_fields[i];
        at += oq_varint_write(at, (uint64_t)field->tag << 3 | (uint64_t)field->wire_type);
        memcpy(at, field->data, field->len);
        at += field->len;
    }
    *out = (oq_bytes){.data = bytes, .size = (size_t)(at - bytes)};
    return ONNXQ_OK;
}

oq_status oq_import_imports(oq_importer *importer, Onnx__OperatorSetIdProto *const *entries, size_t count,
                            oq_import **imports, size_t *import_count, oq_error *err) {
    oq_import *list = oq_arena_calloc(&importer->model->arena, count, sizeof *list, err);
    if (!list) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        const char *domain = entries[i]->domain ? entries[i]->domain : "";
        list[i].domain = oq_import_text(importer, strcmp(domain, "ai.onnx") ? domain : "", err);
        list[i].version = entries[i]->version;
        if (!list[i].domain) return ONNXQ_NO_MEMORY;
        OQ_TRY(carry_unknown(importer, &entries[i]->base, &list[i].unknown, err));
    }
    *imports = list;
    *import_count = count;
    return ONNXQ_OK;
}

static oq_status import_header(oq_importer *importer, const Onnx__ModelProto *from, oq_error *err) {
    oq_model *model = importer->model;
    model->ir_version = from->ir_version;
    model->model_version = from->model_version;
    model->has_model_version = from->has_model_version;
    model->producer_name = oq_import_text(importer, from->producer_name, err);
    model->producer_version = oq_import_text(importer, from->producer_version, err);
    model->domain = oq_import_text(importer, from->domain, err);
    model->doc = oq_import_text(importer, from->doc_string, err);
    if (!model->producer_name || !model->producer_version || !model->domain || !model->doc)
        return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_import_pairs(importer, from->metadata_props, from->n_metadata_props, &model->metadata,
                           &model->metadata_count, err));
    return oq_import_imports(importer, from->opset_import, from->n_opset_import, &model->imports,
                             &model->import_count, err);
}

static oq_status import_content(oq_importer *importer, const oq_part *part, oq_error *err) {
    oq_model *model = importer->model;
    const oq_field *graph = NULL;
    model->functions = oq_arena_calloc(&model->arena, part->apart_count, sizeof *model->functions, err);
    if (!model->functions) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < part->apart_count; i++) {
        const oq_field *field = &part->apart[i];
        if (field->known->offset == offsetof(Onnx__ModelProto, functions)) {
            OQ_TRY(oq_import_function(importer, field, &model->functions[model->function_count++], err));
        } else if (graph) {
            return oq_fail(err, ONNXQ_BAD_MODEL, "the model holds two graphs");
        } else {
            graph = field;
        }
    }
    if (!graph)
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "there is no graph in it: it is empty, cut off, or no ONNX model");
    oq_scope scope = {.graph = model->graph};
    return oq_import_graph(importer, &scope, graph, err);
}

static oq_status import_model(oq_importer *importer, oq_error *err) {
    oq_model *model = importer->model;
    const oq_field whole = {.size = oq_file_size(model->file)};
    OQ_TRY(oq_image_scan(model->mem, model->file, &onnx__model_proto__descriptor, &importer->image, err));
    oq_part part;
    oq_status status = oq_part_read(importer, &model_layout, &whole, &part, err);
    if (status == ONNXQ_OK) status = import_header(importer, part.plain, err);
    if (status == ONNXQ_OK) status = import_content(importer, &part, err);
    model->origin = oq_import_origin(&whole, part.carried);
    oq_part_release(&part);
    if (status == ONNXQ_OK) status = oq_graph_check(model->graph, err);
    for (size_t i = 0; i < model->function_count && status == ONNXQ_OK; i++)
        status = oq_graph_check(model->functions[i].body, err);
    model->changed = false;
    return status;
}

// Takes the reference to `file` over.
static oq_status load(oq_mem *mem, oq_file *file, const char *path, oq_model **out, oq_error *err) {
    oq_model *model = NULL;
    oq_status status = oq_model_new(mem, &model, err);
    if (status != ONNXQ_OK) {
        oq_file_release(file);
        return status;
    }
    model->file = file;
    oq_importer importer = {.model = model, .path = path};
    oq_map_init(&importer.externals, mem);
    model->path = oq_import_text(&importer, path, err);
    status = model->path ? import_model(&importer, err) : ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < importer.file_count; i++) oq_file_release(importer.files[i]);
    oq_mem_free(mem, importer.files);
    oq_mem_free(mem, importer.folder);
    oq_map_release(&importer.externals);
    oq_image_release(&importer.image);
    if (status != ONNXQ_OK) {
        if (err && !err->file[0]) oq_error_prefix(err, "'%s': ", oq_file_path(file));
        oq_error_at_file(err, oq_file_path(file));
        oq_model_free(model);
        model = NULL;
    }
    *out = model;
    return status;
}

oq_status oq_onnx_load(oq_mem *mem, const char *path, oq_model **out, oq_error *err) {
    *out = NULL;
    oq_file *file = NULL;
    OQ_TRY(oq_file_open(mem, path, &file, err));
    return load(mem, file, path, out, err);
}

oq_status oq_onnx_parse(oq_mem *mem, const uint8_t *bytes, size_t count, const char *name, oq_model **out,
                        oq_error *err) {
    *out = NULL;
    oq_file *file = NULL;
    OQ_TRY(oq_file_of_bytes(mem, name, bytes, count, &file, err));
    return load(mem, file, NULL, out, err);
}
