// Graphs, functions and the model to their messages.
#include "onnx/export.h"

#include <string.h>

// --- clean? ---

static bool clean_nodes(const oq_exporter *exporter, const oq_graph *graph) {
    for (size_t i = 0; i < graph->node_count; i++)
        if (!graph->nodes[i]->dead && !oq_export_clean_node(exporter, graph->nodes[i])) return false;
    return true;
}

static bool clean_content(const oq_exporter *exporter, const oq_graph *graph) {
    if (graph->changed || !exporter->model->file) return false;
    for (size_t i = 0; i < graph->value_count; i++) {
        const oq_gvalue *value = graph->values[i];
        if (!value->dead && value->initializer && !oq_export_clean_constant(exporter, value->initializer))
            return false;
    }
    return clean_nodes(exporter, graph);
}

bool oq_export_clean_graph(const oq_exporter *exporter, const oq_graph *graph) {
    return graph->origin.size && clean_content(exporter, graph);
}

static bool clean_attrs(const oq_exporter *exporter, const oq_attr *attrs, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!oq_export_clean_attr(exporter, &attrs[i])) return false;
    return true;
}

static bool clean_function(const oq_exporter *exporter, const oq_function *function) {
    return function->origin.size && clean_attrs(exporter, function->defaults, function->default_count) &&
           clean_content(exporter, function->body);
}

static bool clean_model(const oq_exporter *exporter) {
    const oq_model *model = exporter->model;
    if (model->changed || !model->file || !oq_export_clean_graph(exporter, model->graph)) return false;
    for (size_t i = 0; i < model->function_count; i++)
        if (!clean_function(exporter, &model->functions[i])) return false;
    return true;
}

// --- values ---

// Whether an origin is a field of that number: an object may have moved to another list since.
static bool came_as(const oq_exporter *exporter, const oq_origin *origin, uint32_t number) {
    uint8_t bytes[10];
    uint64_t tag = 0;
    if (!origin->size || !exporter->model->file) return false;
    const size_t count = origin->size < sizeof bytes ? (size_t)origin->size : sizeof bytes;
    return oq_file_read(exporter->model->file, origin->offset, bytes, count, NULL) == ONNXQ_OK &&
           oq_varint_read(bytes, count, &tag) && tag >> 3 == number;
}

static oq_status export_value(oq_exporter *exporter, uint32_t number, const oq_gvalue *value) {
    if (came_as(exporter, &value->origin, number)) {
        oq_export_span(exporter, &value->origin);
        return ONNXQ_OK;
    }
    oq_rope *rope = &exporter->rope;
    const size_t mark = oq_rope_open(rope, number);
    Onnx__ValueInfoProto head = ONNX__VALUE_INFO_PROTO__INIT;
    head.name = (char *)value->name;
    head.doc_string = oq_export_text(value->doc);
    OQ_TRY(oq_export_type(exporter, &value->type, &head.type));
    oq_rope_add_message(rope, &head.base);
    oq_rope_add(rope, value->origin.unknown.data, value->origin.unknown.size);
    oq_rope_close(rope, mark);
    return oq_rope_check(rope, exporter->err);
}

static oq_status export_list(oq_exporter *exporter, uint32_t number, const oq_graph *graph,
                             const oq_value_id *ids, size_t count) {
    for (size_t i = 0; i < count; i++) OQ_TRY(export_value(exporter, number, oq_graph_value(graph, ids[i])));
    return ONNXQ_OK;
}

static oq_status export_value_infos(oq_exporter *exporter, uint32_t number, const oq_graph *graph) {
    for (size_t i = 0; i < graph->value_count; i++) {
        const oq_gvalue *value = graph->values[i];
        if (value->dead || !value->declared || value->is_input || value->is_output || value->is_capture)
            continue;
        if (value->producer == OQ_NONE && !value->initializer) continue;
        OQ_TRY(export_value(exporter, number, value));
    }
    return ONNXQ_OK;
}

static void export_initializers(oq_exporter *exporter, const oq_graph *graph) {
    const uint32_t dense = OQ_FIELD(graph_proto, initializer),
                   sparse = OQ_FIELD(graph_proto, sparse_initializer);
    for (size_t i = 0; i < graph->value_count; i++) {
        const oq_gvalue *value = graph->values[i];
        if (value->dead || !value->initializer) continue;
        const oq_constant *constant = value->initializer;
        const bool clean =
            oq_export_clean_constant(exporter, constant) && !strcmp(constant->name, value->name) &&
            (came_as(exporter, &constant->origin, dense) || came_as(exporter, &constant->origin, sparse));
        if (clean)
            oq_export_span(exporter, &constant->origin);
        else
            oq_export_new_constant(exporter, dense, constant, value->name);
    }
}

// --- graphs ---

static oq_status export_nodes(oq_exporter *exporter, uint32_t number, const oq_graph *graph) {
    oq_node_id *order = NULL;
    size_t count = 0;
    OQ_TRY(oq_graph_order(graph, &order, &count, exporter->err));
    oq_status status = ONNXQ_OK;
    for (size_t i = 0; i < count && status == ONNXQ_OK; i++)
        status = oq_export_node(exporter, number, graph, oq_graph_node(graph, order[i]));
    oq_mem_free(exporter->model->mem, order);
    return status;
}

oq_status oq_export_graph(oq_exporter *exporter, uint32_t number, const oq_graph *graph) {
    if (oq_export_clean_graph(exporter, graph)) {
        oq_export_span(exporter, &graph->origin);
        return ONNXQ_OK;
    }
    oq_rope *rope = &exporter->rope;
    const size_t mark = oq_rope_open(rope, number);
    OQ_TRY(export_nodes(exporter, OQ_FIELD(graph_proto, node), graph));
    Onnx__GraphProto head = ONNX__GRAPH_PROTO__INIT;
    head.name = (char *)(graph->name ? graph->name : "");
    head.doc_string = oq_export_text(graph->doc);
    head.n_metadata_props = graph->metadata_count;
    OQ_TRY(oq_export_pairs(exporter, graph->metadata, graph->metadata_count, &head.metadata_props));
    oq_rope_add_message(rope, &head.base);
    export_initializers(exporter, graph);
    OQ_TRY(export_list(exporter, OQ_FIELD(graph_proto, input), graph, graph->inputs, graph->input_count));
    OQ_TRY(export_list(exporter, OQ_FIELD(graph_proto, output), graph, graph->outputs, graph->output_count));
    OQ_TRY(export_value_infos(exporter, OQ_FIELD(graph_proto, value_info), graph));
    oq_rope_add(rope, graph->origin.unknown.data, graph->origin.unknown.size);
    oq_rope_close(rope, mark);
    return oq_rope_check(rope, exporter->err);
}

static void export_imports(oq_exporter *exporter, uint32_t number, const oq_import *imports, size_t count) {
    oq_rope *rope = &exporter->rope;
    for (size_t i = 0; i < count; i++) {
        const size_t mark = oq_rope_open(rope, number);
        Onnx__OperatorSetIdProto head = ONNX__OPERATOR_SET_ID_PROTO__INIT;
        head.domain = (char *)imports[i].domain;
        head.has_version = true;
        head.version = imports[i].version;
        oq_rope_add_message(rope, &head.base);
        oq_rope_add(rope, imports[i].unknown.data, imports[i].unknown.size);
        oq_rope_close(rope, mark);
    }
}

static oq_status value_names(oq_exporter *exporter, const oq_graph *graph, const oq_value_id *ids,
                             size_t count, char ***out) {
    *out = oq_arena_calloc(&exporter->scratch, count, sizeof **out, exporter->err);
    if (!*out) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < count; i++) (*out)[i] = (char *)oq_graph_value(graph, ids[i])->name;
    return ONNXQ_OK;
}

static oq_status export_function(oq_exporter *exporter, uint32_t number, const oq_function *function) {
    if (clean_function(exporter, function)) {
        oq_export_span(exporter, &function->origin);
        return ONNXQ_OK;
    }
    oq_rope *rope = &exporter->rope;
    const oq_graph *body = function->body;
    const size_t mark = oq_rope_open(rope, number);
    Onnx__FunctionProto head = ONNX__FUNCTION_PROTO__INIT;
    head.name = (char *)function->name;
    head.domain = (char *)function->domain;
    head.overload = oq_export_text(function->overload);
    head.doc_string = oq_export_text(function->doc);
    head.n_input = body->input_count;
    head.n_output = body->output_count;
    OQ_TRY(value_names(exporter, body, body->inputs, body->input_count, &head.input));
    OQ_TRY(value_names(exporter, body, body->outputs, body->output_count, &head.output));
    head.n_attribute = function->attribute_count;
    head.attribute = (char **)function->attribute_names;
    oq_rope_add_message(rope, &head.base);
    for (size_t i = 0; i < function->default_count; i++)
        OQ_TRY(oq_export_attr(exporter, OQ_FIELD(function_proto, attribute_proto), &function->defaults[i]));
    OQ_TRY(export_nodes(exporter, OQ_FIELD(function_proto, node), body));
    export_imports(exporter, OQ_FIELD(function_proto, opset_import), function->imports,
                   function->import_count);
    for (size_t i = 0; i < body->value_count;
         i++) // inputs and outputs too: their list above holds names only
        if (!body->values[i]->dead && body->values[i]->declared)
            OQ_TRY(export_value(exporter, OQ_FIELD(function_proto, value_info), body->values[i]));
    oq_rope_add(rope, function->origin.unknown.data, function->origin.unknown.size);
    oq_rope_close(rope, mark);
    return oq_rope_check(rope, exporter->err);
}

oq_status oq_export_model(oq_exporter *exporter) {
    oq_rope *rope = &exporter->rope;
    const oq_model *model = exporter->model;
    if (clean_model(exporter)) {
        oq_rope_add_range(rope, model->file, 0, oq_file_size(model->file));
        return oq_rope_check(rope, exporter->err);
    }
    Onnx__ModelProto head = ONNX__MODEL_PROTO__INIT;
    head.has_ir_version = model->ir_version != 0;
    head.ir_version = model->ir_version;
    head.producer_name = oq_export_text(model->producer_name);
    head.producer_version = oq_export_text(model->producer_version);
    head.domain = oq_export_text(model->domain);
    head.has_model_version = model->has_model_version;
    head.model_version = model->model_version;
    head.doc_string = oq_export_text(model->doc);
    head.n_metadata_props = model->metadata_count;
    OQ_TRY(oq_export_pairs(exporter, model->metadata, model->metadata_count, &head.metadata_props));
    oq_rope_add_message(rope, &head.base);
    OQ_TRY(oq_export_graph(exporter, OQ_FIELD(model_proto, graph), model->graph));
    export_imports(exporter, OQ_FIELD(model_proto, opset_import), model->imports, model->import_count);
    for (size_t i = 0; i < model->function_count; i++)
        OQ_TRY(export_function(exporter, OQ_FIELD(model_proto, functions), &model->functions[i]));
    oq_rope_add(rope, model->origin.unknown.data, model->origin.unknown.size);
    return oq_rope_check(rope, exporter->err);
}
