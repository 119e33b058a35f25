// Models: beginning and end, opset imports, metadata, interned texts.
#include "graph/graph.h"

#include <string.h>

oq_status oq_model_new(oq_mem *mem, oq_model **out, oq_error *err) {
    *out = NULL;
    oq_model *model = oq_mem_calloc(mem, 1, sizeof *model, err);
    if (!model) return ONNXQ_NO_MEMORY;
    model->mem = mem;
    oq_arena_init(&model->arena, mem);
    oq_map_init(&model->symbols, mem);
    model->path = model->producer_name = model->producer_version = model->domain = model->doc = "";
    const oq_status status = oq_graph_new(model, NULL, &model->graph, err);
    if (status == ONNXQ_OK)
        *out = model;
    else
        oq_model_free(model);
    return status;
}

void oq_model_free(oq_model *model) {
    if (!model) return;
    for (oq_graph *graph = model->graphs; graph; graph = graph->next) oq_map_release(&graph->names);
    for (oq_constant *constant = model->constants; constant; constant = constant->next) {
        oq_tensor_release(&constant->tensor);
        oq_file_release(constant->file);
    }
    oq_file_release(model->file);
    oq_map_release(&model->symbols);
    oq_arena_release(&model->arena);
    oq_mem_free(model->mem, model);
}

// "ai.onnx" and "" are one domain.
static const char *canonical_domain(const char *domain) {
    return strcmp(domain, "ai.onnx") == 0 ? "" : domain;
}

int64_t oq_model_opset(const oq_model *model, const char *domain) {
    for (size_t i = 0; i < model->import_count; i++)
        if (strcmp(canonical_domain(model->imports[i].domain), canonical_domain(domain)) == 0)
            return model->imports[i].version;
    return 0;
}

oq_status oq_model_set_opset(oq_model *model, const char *domain, int64_t version, oq_error *err) {
    domain = canonical_domain(domain);
    size_t i = 0;
    while (i < model->import_count && strcmp(canonical_domain(model->imports[i].domain), domain) != 0) i++;
    if (i == model->import_count) {
        oq_import *imports = oq_arena_calloc(&model->arena, i + 1, sizeof *imports, err);
        char *name = oq_arena_strdup(&model->arena, domain, err);
        if (!imports || !name) return ONNXQ_NO_MEMORY;
        if (i) memcpy(imports, model->imports, i * sizeof *imports);
        imports[i].domain = name;
        model->imports = imports;
        model->import_count = i + 1;
    } else if (model->imports[i].version == version) {
        return ONNXQ_OK;
    }
    model->imports[i].version = version;
    model->changed = true;
    return ONNXQ_OK;
}

const char *oq_model_metadata(const oq_model *model, const char *key) {
    for (size_t i = 0; i < model->metadata_count; i++)
        if (strcmp(model->metadata[i].key, key) == 0) return model->metadata[i].text;
    return NULL;
}

oq_status oq_model_set_metadata(oq_model *model, const char *key, const char *text, oq_error *err) {
    const char *old = oq_model_metadata(model, key);
    if (old && strcmp(old, text) == 0) return ONNXQ_OK;
    char *copy = oq_arena_strdup(&model->arena, text, err);
    if (!copy) return ONNXQ_NO_MEMORY;
    size_t i = 0;
    while (i < model->metadata_count && strcmp(model->metadata[i].key, key) != 0) i++;
    if (i == model->metadata_count) {
        oq_pair *pairs = oq_arena_calloc(&model->arena, i + 1, sizeof *pairs, err);
        char *name = oq_arena_strdup(&model->arena, key, err);
        if (!pairs || !name) return ONNXQ_NO_MEMORY;
        if (i) memcpy(pairs, model->metadata, i * sizeof *pairs);
        pairs[i].key = name;
        model->metadata = pairs;
        model->metadata_count = i + 1;
    }
    model->metadata[i].text = copy;
    model->changed = true;
    return ONNXQ_OK;
}

const char *oq_model_intern(oq_model *model, const char *text, oq_error *err) {
    const char *known = oq_map_key(&model->symbols, text);
    if (known) return known;
    char *copy = oq_arena_strdup(&model->arena, text, err);
    if (!copy || oq_map_set(&model->symbols, copy, 0, err) != ONNXQ_OK) return NULL;
    return copy;
}
