// Nodes and attributes to their messages.
#include "onnx/export.h"

#include <string.h>

// Constants and bodies of an attribute, whatever its kind.
static size_t part_count(const oq_attr *attr) {
    if (attr->reference) return 0;
    switch (attr->kind) {
    case OQ_ATTR_TENSOR:
    case OQ_ATTR_GRAPH:
    case OQ_ATTR_SPARSE: return 1;
    case OQ_ATTR_TENSORS:
    case OQ_ATTR_GRAPHS:
    case OQ_ATTR_SPARSES: return attr->count;
    default: return 0;
    }
}

static bool is_graph(const oq_attr *attr) {
    return attr->kind == OQ_ATTR_GRAPH || attr->kind == OQ_ATTR_GRAPHS;
}

static bool is_tensor(const oq_attr *attr) {
    return attr->kind == OQ_ATTR_TENSOR || attr->kind == OQ_ATTR_TENSORS;
}

static const oq_graph *graph_at(const oq_attr *attr, size_t i) {
    return attr->kind == OQ_ATTR_GRAPH ? attr->graph : attr->graphs[i];
}

static const oq_constant *tensor_at(const oq_attr *attr, size_t i) {
    return attr->kind == OQ_ATTR_TENSOR ? attr->tensor : attr->tensors[i];
}

static const oq_sparse *sparse_at(const oq_attr *attr, size_t i) {
    return attr->kind == OQ_ATTR_SPARSE ? attr->sparse : attr->sparses[i];
}

bool oq_export_clean_attr(const oq_exporter *exporter, const oq_attr *attr) {
    if (!attr->origin.size || !exporter->model->file) return false;
    const size_t count = part_count(attr);
    for (size_t i = 0; i < count; i++) {
        bool clean = true;
        if (is_graph(attr))
            clean = oq_export_clean_graph(exporter, graph_at(attr, i));
        else if (is_tensor(attr))
            clean = oq_export_clean_constant(exporter, tensor_at(attr, i));
        else
            clean = oq_export_clean_constant(exporter, sparse_at(attr, i)->values) &&
                    oq_export_clean_constant(exporter, sparse_at(attr, i)->indices);
        if (!clean) return false;
    }
    return true;
}

bool oq_export_clean_node(const oq_exporter *exporter, const oq_node *node) {
    if (!node->origin.size || !exporter->model->file) return false;
    for (size_t i = 0; i < node->attr_count; i++)
        if (!oq_export_clean_attr(exporter, &node->attrs[i])) return false;
    return true;
}

static ProtobufCBinaryData export_bytes(oq_bytes from) {
    return (ProtobufCBinaryData){.len = from.size, .data = (uint8_t *)from.data};
}

static oq_status export_strings(oq_exporter *exporter, const oq_attr *attr, Onnx__AttributeProto *into) {
    into->n_strings = attr->count;
    into->strings = oq_arena_calloc(&exporter->scratch, attr->count, sizeof *into->strings, exporter->err);
    if (!into->strings) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < attr->count; i++) into->strings[i] = export_bytes(attr->strings[i]);
    return ONNXQ_OK;
}

static oq_status export_types(oq_exporter *exporter, const oq_attr *attr, Onnx__AttributeProto *into) {
    if (attr->kind == OQ_ATTR_TYPE) return oq_export_type(exporter, attr->type, &into->tp);
    into->n_type_protos = attr->count;
    into->type_protos =
        oq_arena_calloc(&exporter->scratch, attr->count, sizeof *into->type_protos, exporter->err);
    if (!into->type_protos) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < attr->count; i++) {
        OQ_TRY(oq_export_type(exporter, attr->types[i], &into->type_protos[i]));
        if (!into->type_protos[i])
            return oq_fail(exporter->err, ONNXQ_UNSUPPORTED, "attribute '%s' holds a type that is not known",
                           attr->name);
    }
    return ONNXQ_OK;
}

// What is not a message of its own.
static oq_status export_plain(oq_exporter *exporter, const oq_attr *attr, Onnx__AttributeProto *into) {
    switch (attr->kind) {
    case OQ_ATTR_FLOAT:
        into->has_f = true;
        into->f = attr->f;
        return ONNXQ_OK;
    case OQ_ATTR_INT:
        into->has_i = true;
        into->i = attr->i;
        return ONNXQ_OK;
    case OQ_ATTR_STRING:
        into->has_s = true;
        into->s = export_bytes(attr->s);
        return ONNXQ_OK;
    case OQ_ATTR_FLOATS:
        into->n_floats = attr->count;
        into->floats = attr->floats;
        return ONNXQ_OK;
    case OQ_ATTR_INTS:
        into->n_ints = attr->count;
        into->ints = attr->ints;
        return ONNXQ_OK;
    case OQ_ATTR_STRINGS: return export_strings(exporter, attr, into);
    case OQ_ATTR_TYPE:
    case OQ_ATTR_TYPES: return export_types(exporter, attr, into);
    default: return ONNXQ_OK;
    }
}

static void export_sparse(oq_exporter *exporter, uint32_t number, const oq_sparse *sparse) {
    oq_rope *rope = &exporter->rope;
    const size_t mark = oq_rope_open(rope, number);
    Onnx__SparseTensorProto head = ONNX__SPARSE_TENSOR_PROTO__INIT;
    head.n_dims = (size_t)sparse->shape.rank;
    head.dims = (int64_t *)sparse->shape.dim;
    oq_rope_add_message(rope, &head.base);
    oq_export_constant(exporter, OQ_FIELD(sparse_tensor_proto, values), sparse->values);
    oq_export_constant(exporter, OQ_FIELD(sparse_tensor_proto, indices), sparse->indices);
    oq_rope_close(rope, mark);
}

static uint32_t part_number(oq_attr_kind kind) {
    switch (kind) {
    case OQ_ATTR_TENSOR: return OQ_FIELD(attribute_proto, t);
    case OQ_ATTR_TENSORS: return OQ_FIELD(attribute_proto, tensors);
    case OQ_ATTR_GRAPH: return OQ_FIELD(attribute_proto, g);
    case OQ_ATTR_GRAPHS: return OQ_FIELD(attribute_proto, graphs);
    case OQ_ATTR_SPARSE: return OQ_FIELD(attribute_proto, sparse_tensor);
    default: return OQ_FIELD(attribute_proto, sparse_tensors);
    }
}

static oq_status export_parts(oq_exporter *exporter, const oq_attr *attr) {
    const size_t count = part_count(attr);
    const uint32_t number = part_number(attr->kind);
    for (size_t i = 0; i < count; i++) {
        if (is_graph(attr))
            OQ_TRY(oq_export_graph(exporter, number, graph_at(attr, i)));
        else if (is_tensor(attr))
            oq_export_constant(exporter, number, tensor_at(attr, i));
        else
            export_sparse(exporter, number, sparse_at(attr, i));
    }
    return ONNXQ_OK;
}

oq_status oq_export_attr(oq_exporter *exporter, uint32_t number, const oq_attr *attr) {
    if (oq_export_clean_attr(exporter, attr)) {
        oq_export_span(exporter, &attr->origin);
        return ONNXQ_OK;
    }
    oq_rope *rope = &exporter->rope;
    const size_t mark = oq_rope_open(rope, number);
    Onnx__AttributeProto head = ONNX__ATTRIBUTE_PROTO__INIT;
    head.name = (char *)attr->name;
    head.doc_string = oq_export_text(attr->doc);
    head.has_type = true;
    head.type = (Onnx__AttributeProto__AttributeType)attr->kind;
    head.ref_attr_name = oq_export_text(attr->reference);
    if (!attr->reference) OQ_TRY(export_plain(exporter, attr, &head));
    oq_rope_add_message(rope, &head.base);
    OQ_TRY(export_parts(exporter, attr));
    oq_rope_add(rope, attr->origin.unknown.data, attr->origin.unknown.size);
    oq_rope_close(rope, mark);
    return oq_rope_check(rope, exporter->err);
}

static oq_status export_names(oq_exporter *exporter, const oq_graph *graph, const oq_value_id *ids,
                              size_t count, char ***out) {
    *out = oq_arena_calloc(&exporter->scratch, count, sizeof **out, exporter->err);
    if (!*out) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        (*out)[i] = (char *)(ids[i] == OQ_NONE ? "" : oq_graph_value(graph, ids[i])->name);
    return ONNXQ_OK;
}

oq_status oq_export_node(oq_exporter *exporter, uint32_t number, const oq_graph *graph, const oq_node *node) {
    if (oq_export_clean_node(exporter, node)) {
        oq_export_span(exporter, &node->origin);
        return ONNXQ_OK;
    }
    oq_rope *rope = &exporter->rope;
    const size_t mark = oq_rope_open(rope, number);
    Onnx__NodeProto head = ONNX__NODE_PROTO__INIT;
    head.n_input = node->input_count;
    head.n_output = node->output_count;
    OQ_TRY(export_names(exporter, graph, node->inputs, node->input_count, &head.input));
    OQ_TRY(export_names(exporter, graph, node->outputs, node->output_count, &head.output));
    head.name = oq_export_text(node->name);
    head.op_type = (char *)node->op_type;
    head.domain = oq_export_text(node->domain);
    head.overload = oq_export_text(node->overload);
    head.doc_string = oq_export_text(node->doc);
    head.n_metadata_props = node->metadata_count;
    OQ_TRY(oq_export_pairs(exporter, node->metadata, node->metadata_count, &head.metadata_props));
    oq_rope_add_message(rope, &head.base);
    for (size_t i = 0; i < node->attr_count; i++)
        OQ_TRY(oq_export_attr(exporter, OQ_FIELD(node_proto, attribute), &node->attrs[i]));
    oq_rope_add(rope, node->origin.unknown.data, node->origin.unknown.size);
    oq_rope_close(rope, mark);
    return oq_rope_check(rope, exporter->err);
}
