// AttributeProto to the IR's attributes, bodies included.
#include "onnx/import.h"

#include <string.h>

static const oq_layout attr_layout = {
    .message = &onnx__attribute_proto__descriptor,
    .apart = {offsetof(Onnx__AttributeProto, t), offsetof(Onnx__AttributeProto, g),
              offsetof(Onnx__AttributeProto, tensors), offsetof(Onnx__AttributeProto, graphs),
              offsetof(Onnx__AttributeProto, sparse_tensor), offsetof(Onnx__AttributeProto, sparse_tensors)}};

typedef struct reader {
    oq_importer *importer;
    oq_scope *scope; // of the node that holds the attribute
    oq_node *node;   // NULL: default of a function's attribute
    const oq_part *part;
    oq_attr *attr;
} reader;

// Files of IR version 1 leave the type out: it is what is filled.
static oq_attr_kind guess_kind(const Onnx__AttributeProto *from, const oq_part *part) {
    if (from->has_f) return OQ_ATTR_FLOAT;
    if (from->has_i) return OQ_ATTR_INT;
    if (from->has_s) return OQ_ATTR_STRING;
    if (from->n_floats) return OQ_ATTR_FLOATS;
    if (from->n_ints) return OQ_ATTR_INTS;
    if (from->n_strings) return OQ_ATTR_STRINGS;
    if (from->tp) return OQ_ATTR_TYPE;
    if (from->n_type_protos) return OQ_ATTR_TYPES;
    if (!part->apart_count) return OQ_ATTR_NONE;
    switch (part->apart[0].known->offset) {
    case offsetof(Onnx__AttributeProto, t): return OQ_ATTR_TENSOR;
    case offsetof(Onnx__AttributeProto, g): return OQ_ATTR_GRAPH;
    case offsetof(Onnx__AttributeProto, tensors): return OQ_ATTR_TENSORS;
    case offsetof(Onnx__AttributeProto, graphs): return OQ_ATTR_GRAPHS;
    case offsetof(Onnx__AttributeProto, sparse_tensor): return OQ_ATTR_SPARSE;
    default: return OQ_ATTR_SPARSES;
    }
}

static oq_status import_bytes(oq_importer *importer, ProtobufCBinaryData from, oq_bytes *into,
                              oq_error *err) {
    const char *copy =
        oq_arena_strndup(&importer->model->arena, from.len ? (const char *)from.data : "", from.len, err);
    if (!copy) return ONNXQ_NO_MEMORY;
    *into = (oq_bytes){.data = (const uint8_t *)copy, .size = from.len};
    return ONNXQ_OK;
}

static void *new_list(reader *read, size_t count, size_t size, oq_error *err) {
    read->attr->count = count;
    return oq_arena_calloc(&read->importer->model->arena, count, size, err);
}

static oq_status import_strings(reader *read, const Onnx__AttributeProto *from, oq_error *err) {
    read->attr->strings = new_list(read, from->n_strings, sizeof(oq_bytes), err);
    if (!read->attr->strings) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < from->n_strings; i++)
        OQ_TRY(import_bytes(read->importer, from->strings[i], &read->attr->strings[i], err));
    return ONNXQ_OK;
}

static oq_status import_numbers(reader *read, const Onnx__AttributeProto *from, oq_error *err) {
    const bool floats = read->attr->kind == OQ_ATTR_FLOATS;
    const size_t count = floats ? from->n_floats : from->n_ints,
                 size = floats ? sizeof(float) : sizeof(int64_t);
    void *list = new_list(read, count, size, err);
    if (!list) return ONNXQ_NO_MEMORY;
    if (count) memcpy(list, floats ? (const void *)from->floats : (const void *)from->ints, count * size);
    read->attr->ints = list; // the union holds either pointer
    return ONNXQ_OK;
}

static oq_status import_types(reader *read, Onnx__TypeProto *const *from, size_t count, oq_error *err) {
    oq_type **list = new_list(read, count, sizeof *list, err);
    if (!list) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        list[i] = oq_arena_calloc(&read->importer->model->arena, 1, sizeof **list, err);
        if (!list[i]) return ONNXQ_NO_MEMORY;
        OQ_TRY(oq_import_type(read->importer, from[i], list[i], err));
    }
    if (read->attr->kind == OQ_ATTR_TYPE)
        read->attr->type = list[0];
    else
        read->attr->types = list;
    return ONNXQ_OK;
}

static oq_status import_tensor(reader *read, const oq_field *field, oq_constant **out, oq_error *err) {
    OQ_TRY(oq_constant_new(read->importer->model, out, err));
    return oq_import_constant(read->importer, field, *out, err);
}

static oq_status import_body(reader *read, const oq_field *field, oq_graph **out, oq_error *err) {
    if (!read->node) return oq_fail(err, ONNXQ_UNSUPPORTED, "a graph as default of a function's attribute");
    OQ_TRY(oq_graph_new(read->importer->model, read->scope->graph, out, err));
    (*out)->owner = read->node;
    oq_scope inner = {.graph = *out, .owner = read->node, .outer = read->scope};
    return oq_import_graph(read->importer, &inner, field, err);
}

// Where attributes that are messages of their own come from, by kind.
static size_t source_of(oq_attr_kind kind) {
    switch (kind) {
    case OQ_ATTR_TENSOR: return offsetof(Onnx__AttributeProto, t);
    case OQ_ATTR_TENSORS: return offsetof(Onnx__AttributeProto, tensors);
    case OQ_ATTR_GRAPH: return offsetof(Onnx__AttributeProto, g);
    case OQ_ATTR_GRAPHS: return offsetof(Onnx__AttributeProto, graphs);
    case OQ_ATTR_SPARSE: return offsetof(Onnx__AttributeProto, sparse_tensor);
    default: return offsetof(Onnx__AttributeProto, sparse_tensors);
    }
}

// Object `i` of the attribute.
static oq_status import_object(reader *read, const oq_field *field, size_t i, oq_error *err) {
    oq_attr *attr = read->attr;
    switch (attr->kind) {
    case OQ_ATTR_TENSOR: return import_tensor(read, field, &attr->tensor, err);
    case OQ_ATTR_TENSORS: return import_tensor(read, field, &attr->tensors[i], err);
    case OQ_ATTR_GRAPH: return import_body(read, field, &attr->graph, err);
    case OQ_ATTR_GRAPHS: return import_body(read, field, &attr->graphs[i], err);
    case OQ_ATTR_SPARSE: return oq_import_sparse(read->importer, field, &attr->sparse, err);
    default: return oq_import_sparse(read->importer, field, &attr->sparses[i], err);
    }
}

// Attributes that are messages of their own, one or a list.
static oq_status import_objects(reader *read, bool single, oq_error *err) {
    const size_t source = source_of(read->attr->kind);
    size_t count = 0;
    for (size_t i = 0; i < read->part->apart_count; i++)
        count += read->part->apart[i].known->offset == source;
    if (single && count != 1)
        return oq_fail(err, ONNXQ_BAD_MODEL, "attribute '%s' holds %zu objects where one belongs",
                       read->attr->name, count);
    if (!single) {
        read->attr->graphs = new_list(read, count, sizeof(void *), err); // the union holds any list
        if (!read->attr->graphs) return ONNXQ_NO_MEMORY;
    }
    size_t done = 0;
    for (size_t i = 0; i < read->part->apart_count; i++)
        if (read->part->apart[i].known->offset == source)
            OQ_TRY(import_object(read, &read->part->apart[i], done++, err));
    return ONNXQ_OK;
}

static oq_status import_value(reader *read, const Onnx__AttributeProto *from, oq_error *err) {
    oq_attr *attr = read->attr;
    attr->count = 1;
    switch (attr->kind) {
    case OQ_ATTR_NONE: return ONNXQ_OK;
    case OQ_ATTR_FLOAT: attr->f = from->f; return ONNXQ_OK;
    case OQ_ATTR_INT: attr->i = from->i; return ONNXQ_OK;
    case OQ_ATTR_STRING: return import_bytes(read->importer, from->s, &attr->s, err);
    case OQ_ATTR_STRINGS: return import_strings(read, from, err);
    case OQ_ATTR_FLOATS:
    case OQ_ATTR_INTS: return import_numbers(read, from, err);
    case OQ_ATTR_TYPE:
        if (!from->tp) return oq_fail(err, ONNXQ_BAD_MODEL, "attribute '%s' holds no type", attr->name);
        return import_types(read, &from->tp, 1, err);
    case OQ_ATTR_TYPES: return import_types(read, from->type_protos, from->n_type_protos, err);
    case OQ_ATTR_TENSOR:
    case OQ_ATTR_GRAPH:
    case OQ_ATTR_SPARSE: return import_objects(read, true, err);
    default: return import_objects(read, false, err);
    }
}

static oq_status import_head(reader *read, const Onnx__AttributeProto *from, oq_error *err) {
    oq_attr *attr = read->attr;
    attr->name = oq_import_text(read->importer, from->name, err);
    attr->doc = oq_import_text(read->importer, from->doc_string, err);
    if (!attr->name || !attr->doc) return ONNXQ_NO_MEMORY;
    if (from->ref_attr_name && from->ref_attr_name[0]) {
        attr->reference = oq_import_text(read->importer, from->ref_attr_name, err);
        if (!attr->reference) return ONNXQ_NO_MEMORY;
    }
    const int type = from->has_type ? (int)from->type : 0;
    if (type < 0 || type > OQ_ATTR_TYPES)
        return oq_fail(err, ONNXQ_BAD_MODEL, "attribute '%s' has type %d, which ONNX does not define",
                       attr->name, type);
    attr->kind = type ? (oq_attr_kind)type : guess_kind(from, read->part);
    return ONNXQ_OK;
}

oq_status oq_import_attr(oq_importer *importer, oq_scope *scope, oq_node *node, const oq_field *field,
                         oq_attr *attr, oq_error *err) {
    oq_part part;
    oq_status status = oq_part_read(importer, &attr_layout, field, &part, err);
    if (status == ONNXQ_OK) {
        reader read = {.importer = importer, .scope = scope, .node = node, .part = &part, .attr = attr};
        status = import_head(&read, part.plain, err);
        if (status == ONNXQ_OK && !attr->reference) status = import_value(&read, part.plain, err);
    }
    attr->origin = oq_import_origin(field, part.carried);
    oq_part_release(&part);
    if (status != ONNXQ_OK && err && !err->offset) err->offset = field->start;
    return status;
}
