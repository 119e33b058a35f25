// GraphProto and FunctionProto to the IR's graphs.
#include "onnx/import.h"

#include <string.h>

#define MOST_ATTRIBUTES 1000 // of a node; the richest operator of the standard has 17

static const oq_layout graph_layout = {
    .message = &onnx__graph_proto__descriptor,
    .apart = {offsetof(Onnx__GraphProto, node), offsetof(Onnx__GraphProto, initializer),
              offsetof(Onnx__GraphProto, sparse_initializer), offsetof(Onnx__GraphProto, input),
              offsetof(Onnx__GraphProto, output), offsetof(Onnx__GraphProto, value_info)},
    .carried = {offsetof(Onnx__GraphProto, quantization_annotation)}};

static const oq_layout function_layout = {.message = &onnx__function_proto__descriptor,
                                          .apart = {offsetof(Onnx__FunctionProto, node),
                                                    offsetof(Onnx__FunctionProto, attribute_proto),
                                                    offsetof(Onnx__FunctionProto, value_info)},
                                          .carried = {offsetof(Onnx__FunctionProto, metadata_props)}};

static const oq_layout value_layout = {.message = &onnx__value_info_proto__descriptor,
                                       .carried = {offsetof(Onnx__ValueInfoProto, metadata_props)}};

static const oq_layout node_layout = {.message = &onnx__node_proto__descriptor,
                                      .apart = {offsetof(Onnx__NodeProto, attribute)},
                                      .carried = {offsetof(Onnx__NodeProto, device_configurations)}};

// The fields of one kind in a cut message, in the file's order.
typedef struct each {
    const oq_part *part;
    size_t offset, at;
} each;

static each each_of(const oq_part *part, size_t offset) { return (each){.part = part, .offset = offset}; }

static const oq_field *next(each *walk) {
    while (walk->at < walk->part->apart_count) {
        const oq_field *field = &walk->part->apart[walk->at++];
        if (field->known->offset == walk->offset) return field;
    }
    return NULL;
}

static size_t count_of(const oq_part *part, size_t offset) {
    size_t count = 0;
    for (size_t i = 0; i < part->apart_count; i++) count += part->apart[i].known->offset == offset;
    return count;
}

static oq_status find_or_add(oq_graph *graph, const char *name, oq_value_id *id, oq_error *err) {
    *id = oq_graph_find(graph, name);
    return *id != OQ_NONE ? ONNXQ_OK : oq_graph_add_value(graph, name, id, err);
}

// The value that `name` means in a scope, taken in from the graphs around it when it is not its own; OQ_NONE
// when nothing gives it.
static oq_status resolve(const oq_scope *scope, const char *name, oq_value_id *id, oq_error *err) {
    *id = oq_graph_find(scope->graph, name);
    if (*id != OQ_NONE || !scope->outer) return ONNXQ_OK;
    oq_value_id outer = OQ_NONE;
    OQ_TRY(resolve(scope->outer, name, &outer, err));
    if (outer == OQ_NONE) return ONNXQ_OK;
    return oq_graph_capture(scope->graph, scope->owner, outer, id, err);
}

// --- values ---

// Inputs and outputs as the graph's lists of ids.
static oq_status new_ids(oq_importer *importer, size_t count, oq_value_id **ids, oq_error *err) {
    *ids = oq_arena_calloc(&importer->model->arena, count, sizeof **ids, err);
    return *ids ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

static oq_status add_input(oq_graph *graph, const char *name, oq_error *err) {
    if (!name[0]) return oq_fail(err, ONNXQ_BAD_MODEL, "graph input %zu has no name", graph->input_count);
    if (oq_graph_find(graph, name) != OQ_NONE)
        return oq_fail(err, ONNXQ_BAD_MODEL, "two graph inputs are named '%s'", name);
    oq_value_id id = OQ_NONE;
    OQ_TRY(oq_graph_add_value(graph, name, &id, err));
    oq_graph_value(graph, id)->is_input = true;
    graph->inputs[graph->input_count++] = id;
    return ONNXQ_OK;
}

static oq_status add_output(const oq_scope *scope, const char *name, oq_error *err) {
    oq_value_id id = OQ_NONE;
    OQ_TRY(resolve(scope, name, &id, err));
    if (id == OQ_NONE)
        return oq_fail(err, ONNXQ_BAD_MODEL, "graph output '%s' is given by no node, input or initializer",
                       name);
    oq_graph_value(scope->graph, id)->is_output = true;
    scope->graph->outputs[scope->graph->output_count++] = id;
    return ONNXQ_OK;
}

// A ValueInfoProto as input, output, or as what is known of an inner value. The first in this order counts.
static oq_status import_value(oq_importer *importer, const oq_scope *scope, const oq_field *field,
                              size_t role, oq_error *err) {
    oq_graph *graph = scope->graph;
    oq_part part;
    oq_status status;
    OQ_TRY_DONE(oq_part_read(importer, &value_layout, field, &part, err));
    const Onnx__ValueInfoProto *plain = part.plain;
    const char *name = plain->name ? plain->name : "";
    if (role == offsetof(Onnx__GraphProto, input)) OQ_TRY_DONE(add_input(graph, name, err));
    if (role == offsetof(Onnx__GraphProto, output)) OQ_TRY_DONE(add_output(scope, name, err));
    const oq_value_id id = oq_graph_find(graph, name);
    if (id == OQ_NONE || oq_graph_value(graph, id)->declared)
        goto done; // a remark about a value that is not there
    oq_gvalue *value = oq_graph_value(graph, id);
    OQ_TRY_DONE(oq_import_type(importer, plain->type, &value->type, err));
    value->declared = true;
    value->origin = oq_import_origin(field, part.carried);
    value->doc = oq_import_text(importer, plain->doc_string, err);
    if (!value->doc) status = ONNXQ_NO_MEMORY;
done:
    if (status != ONNXQ_OK) {
        oq_error_at_tensor(err, part.plain && ((Onnx__ValueInfoProto *)part.plain)->name
                                    ? ((Onnx__ValueInfoProto *)part.plain)->name
                                    : "");
        if (err && !err->offset) err->offset = field->start;
    }
    oq_part_release(&part);
    return status;
}

static oq_status import_values(oq_importer *importer, const oq_scope *scope, const oq_part *part, size_t role,
                               oq_error *err) {
    each walk = each_of(part, role);
    for (const oq_field *field = next(&walk); field; field = next(&walk))
        OQ_TRY(import_value(importer, scope, field, role, err));
    return ONNXQ_OK;
}

static oq_status attach_initializer(oq_graph *graph, oq_constant *constant, oq_error *err) {
    if (!constant->name[0]) return oq_fail(err, ONNXQ_BAD_MODEL, "an initializer has no name");
    oq_value_id id = OQ_NONE;
    OQ_TRY(find_or_add(graph, constant->name, &id, err));
    oq_gvalue *value = oq_graph_value(graph, id);
    if (value->initializer)
        return oq_fail(err, ONNXQ_BAD_MODEL, "two initializers are named '%s'", constant->name);
    value->initializer = constant;
    return ONNXQ_OK;
}

static oq_status import_initializers(oq_importer *importer, oq_graph *graph, const oq_part *part,
                                     oq_error *err) {
    each walk = each_of(part, offsetof(Onnx__GraphProto, initializer));
    for (const oq_field *field = next(&walk); field; field = next(&walk)) {
        oq_constant *constant = NULL;
        OQ_TRY(oq_constant_new(importer->model, &constant, err));
        OQ_TRY(oq_import_constant(importer, field, constant, err));
        OQ_TRY(attach_initializer(graph, constant, err));
    }
    return ONNXQ_OK;
}

// A sparse initializer is a dense value that is stored sparsely.
static oq_status import_sparse_initializer(oq_importer *importer, oq_graph *graph, const oq_field *field,
                                           oq_error *err) {
    oq_sparse *sparse = NULL;
    oq_constant *constant = NULL;
    OQ_TRY(oq_import_sparse(importer, field, &sparse, err));
    OQ_TRY(oq_constant_new(importer->model, &constant, err));
    OQ_TRY(oq_import_densify(importer, sparse, &constant->tensor, err));
    constant->name = sparse->values->name; // the name of the whole
    constant->doc = sparse->values->doc;
    constant->dtype = sparse->values->dtype;
    constant->shape = sparse->shape;
    constant->external = sparse->values->external || sparse->indices->external;
    constant->origin = oq_import_origin(field, (oq_bytes){0});
    return attach_initializer(graph, constant, err);
}

static oq_status import_sparse_initializers(oq_importer *importer, oq_graph *graph, const oq_part *part,
                                            oq_error *err) {
    each walk = each_of(part, offsetof(Onnx__GraphProto, sparse_initializer));
    for (const oq_field *field = next(&walk); field; field = next(&walk))
        OQ_TRY(import_sparse_initializer(importer, graph, field, err));
    return ONNXQ_OK;
}

// --- nodes ---

// Makes the values that a node gives, before any node is read: names in bodies and in files out of order find
// them.
static oq_status declare_outputs(oq_importer *importer, oq_graph *graph, const oq_field *node,
                                 oq_error *err) {
    oq_cursor cursor = oq_cursor_of(&importer->image, &onnx__node_proto__descriptor, node);
    oq_field field;
    while (oq_cursor_next(&cursor, &field)) {
        if (!field.known || field.known->offset != offsetof(Onnx__NodeProto, output) || !field.size) continue;
        const char *name = oq_arena_strndup(&importer->model->arena,
                                            (const char *)oq_image_at(&importer->image, field.offset),
                                            (size_t)field.size, err);
        oq_value_id id = OQ_NONE;
        if (!name) return ONNXQ_NO_MEMORY;
        OQ_TRY(find_or_add(graph, name, &id, err));
    }
    return ONNXQ_OK;
}

static oq_status find_inputs(const oq_scope *scope, const Onnx__NodeProto *from, oq_value_id *ids,
                             oq_error *err) {
    for (size_t i = 0; i < from->n_input; i++) {
        ids[i] = OQ_NONE;
        if (!from->input[i][0]) continue;
        OQ_TRY(resolve(scope, from->input[i], &ids[i], err));
        if (ids[i] == OQ_NONE)
            return oq_fail(err, ONNXQ_BAD_MODEL,
                           "input %zu, '%s', is given by no node, graph input or initializer", i,
                           from->input[i]);
    }
    return ONNXQ_OK;
}

static oq_status find_outputs(oq_graph *graph, const Onnx__NodeProto *from, oq_value_id *ids, oq_error *err) {
    for (size_t i = 0; i < from->n_output; i++) {
        ids[i] = from->output[i][0] ? oq_graph_find(graph, from->output[i]) : OQ_NONE;
        if (ids[i] == OQ_NONE) continue;
        const oq_gvalue *value = oq_graph_value(graph, ids[i]);
        if (value->producer != OQ_NONE || value->is_input || value->initializer)
            return oq_fail(err, ONNXQ_BAD_MODEL,
                           "output '%s' is already given by another node, input or initializer",
                           from->output[i]);
    }
    return ONNXQ_OK;
}

static const char *short_domain(const char *domain) {
    return domain && strcmp(domain, "ai.onnx") != 0 ? domain : "";
}

static oq_status import_attrs(oq_importer *importer, oq_scope *scope, oq_node *node, const oq_part *part,
                              oq_error *err) {
    node->attrs = oq_arena_calloc(&importer->model->arena, part->apart_count, sizeof *node->attrs, err);
    if (!node->attrs) return ONNXQ_NO_MEMORY;
    if (part->apart_count > MOST_ATTRIBUTES)
        return oq_fail(err, ONNXQ_BAD_MODEL, "%zu attributes; no operator has more than %d",
                       part->apart_count, MOST_ATTRIBUTES);
    for (size_t i = 0; i < part->apart_count; i++) {
        node->attr_count = i + 1;
        OQ_TRY(oq_import_attr(importer, scope, node, &part->apart[i], &node->attrs[i], err));
        for (size_t k = 0; k < i; k++)
            if (!strcmp(node->attrs[k].name, node->attrs[i].name))
                return oq_fail(err, ONNXQ_BAD_MODEL, "two attributes are named '%s'", node->attrs[i].name);
    }
    return ONNXQ_OK;
}

static oq_status build_node(oq_importer *importer, oq_scope *scope, oq_part *part, const oq_field *field,
                            oq_error *err) {
    const Onnx__NodeProto *from = part->plain;
    oq_value_id *inputs = oq_arena_calloc(&part->scratch, from->n_input, sizeof *inputs, err);
    oq_value_id *outputs = oq_arena_calloc(&part->scratch, from->n_output, sizeof *outputs, err);
    if (!inputs || !outputs) return ONNXQ_NO_MEMORY;
    OQ_TRY(find_inputs(scope, from, inputs, err));
    OQ_TRY(find_outputs(scope->graph, from, outputs, err));
    oq_node *node = NULL;
    OQ_TRY(oq_graph_add_node(scope->graph, from->name ? from->name : "", from->op_type ? from->op_type : "",
                             short_domain(from->domain), inputs, from->n_input, outputs, from->n_output,
                             &node, err));
    node->doc = oq_import_text(importer, from->doc_string, err);
    node->overload = oq_import_text(importer, from->overload, err);
    if (!node->doc || !node->overload) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_import_pairs(importer, from->metadata_props, from->n_metadata_props, &node->metadata,
                           &node->metadata_count, err));
    OQ_TRY(import_attrs(importer, scope, node, part, err));
    node->origin = oq_import_origin(field, part->carried);
    return ONNXQ_OK;
}

static oq_status import_node(oq_importer *importer, oq_scope *scope, const oq_field *field, oq_error *err) {
    oq_part part;
    oq_status status = oq_part_read(importer, &node_layout, field, &part, err);
    if (status == ONNXQ_OK) {
        status = build_node(importer, scope, &part, field, err);
        const Onnx__NodeProto *plain = part.plain;
        if (status != ONNXQ_OK) {
            if (err && !err->node[0] && !err->op_type[0])
                oq_error_prefix(err, "node '%s' (%s): ", plain->name ? plain->name : "",
                                plain->op_type ? plain->op_type : "");
            oq_error_at_node(err, plain->name ? plain->name : "", plain->op_type ? plain->op_type : "");
            if (err && !err->offset) err->offset = field->start;
        }
    }
    oq_part_release(&part);
    return status;
}

static oq_status import_nodes(oq_importer *importer, oq_scope *scope, const oq_part *part, size_t role,
                              oq_error *err) {
    each walk = each_of(part, role);
    for (const oq_field *field = next(&walk); field; field = next(&walk))
        OQ_TRY(import_node(importer, scope, field, err));
    return ONNXQ_OK;
}

static oq_status declare_nodes(oq_importer *importer, oq_graph *graph, const oq_part *part, size_t role,
                               oq_error *err) {
    each walk = each_of(part, role);
    for (const oq_field *field = next(&walk); field; field = next(&walk))
        OQ_TRY(declare_outputs(importer, graph, field, err));
    return ONNXQ_OK;
}

// --- graphs ---

static oq_status fill_graph(oq_importer *importer, oq_scope *scope, const oq_part *part, oq_error *err) {
    oq_graph *graph = scope->graph;
    const Onnx__GraphProto *plain = part->plain;
    graph->name = oq_import_text(importer, plain->name, err);
    graph->doc = oq_import_text(importer, plain->doc_string, err);
    if (!graph->name || !graph->doc) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_import_pairs(importer, plain->metadata_props, plain->n_metadata_props, &graph->metadata,
                           &graph->metadata_count, err));
    OQ_TRY(new_ids(importer, count_of(part, offsetof(Onnx__GraphProto, input)), &graph->inputs, err));
    OQ_TRY(new_ids(importer, count_of(part, offsetof(Onnx__GraphProto, output)), &graph->outputs, err));
    OQ_TRY(import_values(importer, scope, part, offsetof(Onnx__GraphProto, input), err));
    OQ_TRY(import_initializers(importer, graph, part, err));
    OQ_TRY(import_sparse_initializers(importer, graph, part, err));
    OQ_TRY(declare_nodes(importer, graph, part, offsetof(Onnx__GraphProto, node), err));
    OQ_TRY(import_values(importer, scope, part, offsetof(Onnx__GraphProto, output), err));
    OQ_TRY(import_values(importer, scope, part, offsetof(Onnx__GraphProto, value_info), err));
    return import_nodes(importer, scope, part, offsetof(Onnx__GraphProto, node), err);
}

oq_status oq_import_graph(oq_importer *importer, oq_scope *scope, const oq_field *field, oq_error *err) {
    oq_part part;
    oq_status status = oq_part_read(importer, &graph_layout, field, &part, err);
    if (status == ONNXQ_OK) status = fill_graph(importer, scope, &part, err);
    scope->graph->origin = oq_import_origin(field, part.carried);
    scope->graph->changed = false;
    oq_part_release(&part);
    return status;
}

// --- functions ---

static oq_status import_names(oq_importer *importer, char *const *names, size_t count, const char ***out,
                              oq_error *err) {
    const char **list = oq_arena_calloc(&importer->model->arena, count, sizeof *list, err);
    if (!list) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        list[i] = oq_import_text(importer, names[i], err);
        if (!list[i]) return ONNXQ_NO_MEMORY;
    }
    *out = list;
    return ONNXQ_OK;
}

static oq_status fill_body(oq_importer *importer, oq_function *function, const oq_part *part, oq_error *err) {
    const Onnx__FunctionProto *plain = part->plain;
    oq_scope scope = {.graph = function->body};
    oq_graph *body = function->body;
    OQ_TRY(new_ids(importer, plain->n_input, &body->inputs, err));
    OQ_TRY(new_ids(importer, plain->n_output, &body->outputs, err));
    for (size_t i = 0; i < plain->n_input; i++) OQ_TRY(add_input(body, plain->input[i], err));
    OQ_TRY(declare_nodes(importer, body, part, offsetof(Onnx__FunctionProto, node), err));
    for (size_t i = 0; i < plain->n_output; i++) OQ_TRY(add_output(&scope, plain->output[i], err));
    OQ_TRY(import_values(importer, &scope, part, offsetof(Onnx__FunctionProto, value_info), err));
    return import_nodes(importer, &scope, part, offsetof(Onnx__FunctionProto, node), err);
}

static oq_status fill_function(oq_importer *importer, oq_function *function, const oq_part *part,
                               oq_error *err) {
    const Onnx__FunctionProto *plain = part->plain;
    function->domain = oq_import_text(importer, short_domain(plain->domain), err);
    function->name = oq_import_text(importer, plain->name, err);
    function->overload = oq_import_text(importer, plain->overload, err);
    function->doc = oq_import_text(importer, plain->doc_string, err);
    if (!function->domain || !function->name || !function->overload || !function->doc) return ONNXQ_NO_MEMORY;
    OQ_TRY(import_names(importer, plain->attribute, plain->n_attribute, &function->attribute_names, err));
    function->attribute_count = plain->n_attribute;
    OQ_TRY(oq_import_imports(importer, plain->opset_import, plain->n_opset_import, &function->imports,
                             &function->import_count, err));
    OQ_TRY(oq_graph_new(importer->model, NULL, &function->body, err));
    function->body->name = function->name;
    const size_t defaults = count_of(part, offsetof(Onnx__FunctionProto, attribute_proto));
    function->defaults = oq_arena_calloc(&importer->model->arena, defaults, sizeof *function->defaults, err);
    if (!function->defaults) return ONNXQ_NO_MEMORY;
    oq_scope scope = {.graph = function->body};
    each walk = each_of(part, offsetof(Onnx__FunctionProto, attribute_proto));
    for (const oq_field *field = next(&walk); field; field = next(&walk)) {
        OQ_TRY(
            oq_import_attr(importer, &scope, NULL, field, &function->defaults[function->default_count], err));
        function->default_count++;
    }
    return fill_body(importer, function, part, err);
}

oq_status oq_import_function(oq_importer *importer, const oq_field *field, oq_function *function,
                             oq_error *err) {
    oq_part part;
    oq_status status = oq_part_read(importer, &function_layout, field, &part, err);
    if (status == ONNXQ_OK) status = fill_function(importer, function, &part, err);
    if (status != ONNXQ_OK) oq_error_prefix(err, "function '%s': ", function->name ? function->name : "");
    function->origin = oq_import_origin(field, part.carried);
    if (function->body) function->body->changed = false;
    oq_part_release(&part);
    return status;
}
