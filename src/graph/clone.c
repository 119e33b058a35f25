// Deep copies of models: ids stay, texts and lists go into the new arena, tensor data and files are shared.
#include "graph/storage.h"

#include <string.h>

// Copies of texts and bytes; the first failure is remembered, so that a struct is filled in one go.
typedef struct cloning {
    oq_model *model; // the new one
    oq_error *err;
    bool failed;
} cloning;

static const char *clone_text(cloning *c, const char *text) {
    if (!text) return NULL;
    const char *copy = oq_arena_strdup(&c->model->arena, text, c->err);
    c->failed = c->failed || !copy;
    return copy;
}

static void *clone_block(cloning *c, const void *from, size_t count, size_t size) {
    if (!from) return NULL;
    void *copy = oq_arena_calloc(&c->model->arena, count, size, c->err);
    if (copy && count) memcpy(copy, from, count * size);
    c->failed = c->failed || !copy;
    return copy;
}

static oq_bytes clone_bytes(cloning *c, oq_bytes from) {
    if (!from.data) return (oq_bytes){0};
    // One more byte, zero: strings of attributes are NUL-terminated behind their size.
    uint8_t *copy = oq_arena_alloc(&c->model->arena, from.size + 1, c->err);
    if (copy && from.size) memcpy(copy, from.data, from.size);
    c->failed = c->failed || !copy;
    return (oq_bytes){.data = copy, .size = from.size};
}

static oq_origin clone_origin(cloning *c, oq_origin from) {
    from.unknown = clone_bytes(c, from.unknown);
    return from;
}

static oq_pair *clone_pairs(cloning *c, const oq_pair *from, size_t count) {
    oq_pair *pairs = clone_block(c, from, count, sizeof *pairs);
    for (size_t i = 0; pairs && i < count; i++) {
        pairs[i].key = clone_text(c, from[i].key);
        pairs[i].text = clone_text(c, from[i].text);
    }
    return pairs;
}

static oq_import *clone_imports(cloning *c, const oq_import *from, size_t count) {
    oq_import *imports = clone_block(c, from, count, sizeof *imports);
    for (size_t i = 0; imports && i < count; i++) {
        imports[i].domain = clone_text(c, from[i].domain);
        imports[i].unknown = clone_bytes(c, from[i].unknown);
    }
    return imports;
}

static oq_constant *clone_constant(cloning *c, const oq_constant *from) {
    oq_constant *constant = NULL;
    if (!from) return NULL;
    if (oq_constant_new(c->model, &constant, c->err) != ONNXQ_OK) {
        c->failed = true;
        return NULL;
    }
    oq_constant *next = constant->next;
    *constant = *from;
    constant->next = next;
    constant->tensor = oq_tensor_retain(&from->tensor);
    constant->file = from->file ? oq_file_retain(from->file) : NULL;
    constant->name = clone_text(c, from->name);
    constant->doc = clone_text(c, from->doc);
    constant->origin = clone_origin(c, from->origin);
    return constant;
}

static oq_sparse *clone_sparse(cloning *c, const oq_sparse *from) {
    oq_sparse *sparse = clone_block(c, from, 1, sizeof *sparse);
    if (!sparse) return NULL;
    sparse->values = clone_constant(c, from->values);
    sparse->indices = clone_constant(c, from->indices);
    return sparse;
}

static oq_type *clone_type(cloning *c, const oq_type *from) {
    oq_type *type = clone_block(c, from, 1, sizeof *type);
    if (type && oq_type_clone(c->model, from, type, c->err) != ONNXQ_OK) c->failed = true;
    return type;
}

static oq_graph *clone_graph(cloning *c, const oq_graph *from, oq_graph *parent, oq_node *owner);

// The value of an attribute; lists of pointers are copied item by item.
static void clone_attr_value(cloning *c, const oq_attr *from, oq_attr *attr, oq_node *owner) {
    oq_graph *graph = owner ? owner->graph : NULL;
#define CLONE_LIST(LIST, TYPE, CLONE)                                                                        \
    attr->LIST = clone_block(c, from->LIST, from->count, sizeof(TYPE));                                      \
    for (size_t i = 0; attr->LIST && i < from->count; i++) attr->LIST[i] = (CLONE)
    switch (from->kind) {
    case OQ_ATTR_STRING: attr->s = clone_bytes(c, from->s); break;
    case OQ_ATTR_TENSOR: attr->tensor = clone_constant(c, from->tensor); break;
    case OQ_ATTR_SPARSE: attr->sparse = clone_sparse(c, from->sparse); break;
    case OQ_ATTR_TYPE: attr->type = clone_type(c, from->type); break;
    case OQ_ATTR_GRAPH: attr->graph = clone_graph(c, from->graph, graph, owner); break;
    case OQ_ATTR_FLOATS: CLONE_LIST(floats, float, from->floats[i]); break;
    case OQ_ATTR_INTS: CLONE_LIST(ints, int64_t, from->ints[i]); break;
    case OQ_ATTR_STRINGS: CLONE_LIST(strings, oq_bytes, clone_bytes(c, from->strings[i])); break;
    case OQ_ATTR_TENSORS: CLONE_LIST(tensors, oq_constant *, clone_constant(c, from->tensors[i])); break;
    case OQ_ATTR_SPARSES: CLONE_LIST(sparses, oq_sparse *, clone_sparse(c, from->sparses[i])); break;
    case OQ_ATTR_TYPES: CLONE_LIST(types, oq_type *, clone_type(c, from->types[i])); break;
    case OQ_ATTR_GRAPHS: CLONE_LIST(graphs, oq_graph *, clone_graph(c, from->graphs[i], graph, owner)); break;
    default: break; // numbers came with the struct
    }
#undef CLONE_LIST
}

static oq_attr *clone_attrs(cloning *c, const oq_attr *from, size_t count, oq_node *owner) {
    oq_attr *attrs = clone_block(c, from, count, sizeof *attrs);
    for (size_t i = 0; attrs && i < count && !c->failed; i++) {
        attrs[i].name = clone_text(c, from[i].name);
        attrs[i].doc = clone_text(c, from[i].doc);
        attrs[i].reference = clone_text(c, from[i].reference);
        attrs[i].origin = clone_origin(c, from[i].origin);
        clone_attr_value(c, &from[i], &attrs[i], owner);
    }
    return attrs;
}

static oq_node *clone_node(cloning *c, const oq_node *from, oq_graph *graph) {
    oq_node *node = clone_block(c, from, 1, sizeof *node);
    if (!node) return NULL;
    node->graph = graph;
    node->name = clone_text(c, from->name);
    node->op_type = clone_text(c, from->op_type);
    node->domain = clone_text(c, from->domain);
    node->overload = clone_text(c, from->overload);
    node->doc = clone_text(c, from->doc);
    node->inputs = clone_block(c, from->inputs, from->input_count, sizeof *from->inputs);
    node->outputs = clone_block(c, from->outputs, from->output_count, sizeof *from->outputs);
    node->captures = clone_block(c, from->captures, from->capture_count, sizeof *from->captures);
    node->capture_capacity = from->capture_count;
    node->metadata = clone_pairs(c, from->metadata, from->metadata_count);
    node->origin = clone_origin(c, from->origin);
    if (from->dead) node->attr_count = 0; // what a removed node held is not worth copying
    node->attrs = clone_attrs(c, from->attrs, node->attr_count, node);
    return node;
}

static oq_gvalue *clone_value(cloning *c, const oq_gvalue *from, oq_graph *graph, oq_value_id id) {
    oq_gvalue *value = clone_block(c, from, 1, sizeof *value);
    if (!value) return NULL;
    value->name = clone_text(c, from->name);
    value->doc = clone_text(c, from->doc);
    value->origin = clone_origin(c, from->origin);
    value->initializer = clone_constant(c, from->initializer);
    value->made = NULL;
    value->misdeclared = clone_text(c, from->misdeclared);
    value->uses = clone_block(c, from->uses, from->use_capacity, sizeof *from->uses);
    if (oq_type_clone(c->model, &from->type, &value->type, c->err) != ONNXQ_OK) c->failed = true;
    if (!c->failed && !value->dead && oq_map_set(&graph->names, value->name, id, c->err) != ONNXQ_OK)
        c->failed = true;
    return value;
}

// Bodies nest at most OQ_MAX_DEPTH deep, so recursion is safe.
static oq_graph *clone_graph(cloning *c, const oq_graph *from, oq_graph *parent, oq_node *owner) {
    oq_graph *graph = NULL;
    if (!from || c->failed) return NULL;
    if (oq_graph_new(c->model, parent, &graph, c->err) != ONNXQ_OK) {
        c->failed = true;
        return NULL;
    }
    graph->owner = owner;
    graph->name = clone_text(c, from->name);
    graph->doc = clone_text(c, from->doc);
    graph->inputs = clone_block(c, from->inputs, from->input_count, sizeof *from->inputs);
    graph->outputs = clone_block(c, from->outputs, from->output_count, sizeof *from->outputs);
    graph->captures = clone_block(c, from->captures, from->capture_count, sizeof *from->captures);
    graph->input_count = from->input_count;
    graph->output_count = from->output_count;
    graph->capture_count = graph->capture_capacity = from->capture_count;
    graph->metadata = clone_pairs(c, from->metadata, from->metadata_count);
    graph->metadata_count = from->metadata_count;
    graph->origin = clone_origin(c, from->origin);
    graph->changed = from->changed;
    graph->values = clone_block(c, from->values, from->value_count, sizeof(oq_gvalue *));
    graph->nodes = clone_block(c, from->nodes, from->node_count, sizeof(oq_node *));
    for (size_t i = 0; !c->failed && i < from->value_count; i++)
        graph->values[i] = clone_value(c, from->values[i], graph, (oq_value_id)i);
    for (size_t i = 0; !c->failed && i < from->node_count; i++)
        graph->nodes[i] = clone_node(c, from->nodes[i], graph);
    graph->value_count = graph->value_capacity = from->value_count;
    graph->node_count = graph->node_capacity = from->node_count;
    return graph;
}

static void clone_function(cloning *c, const oq_function *from, oq_function *function) {
    *function = *from;
    function->domain = clone_text(c, from->domain);
    function->name = clone_text(c, from->name);
    function->overload = clone_text(c, from->overload);
    function->doc = clone_text(c, from->doc);
    function->attribute_names =
        clone_block(c, from->attribute_names, from->attribute_count, sizeof *from->attribute_names);
    for (size_t i = 0; function->attribute_names && i < from->attribute_count; i++)
        function->attribute_names[i] = clone_text(c, from->attribute_names[i]);
    function->defaults = clone_attrs(c, from->defaults, from->default_count, NULL);
    function->imports = clone_imports(c, from->imports, from->import_count);
    function->origin = clone_origin(c, from->origin);
    function->body = clone_graph(c, from->body, NULL, NULL);
}

oq_status oq_model_clone(const oq_model *model, oq_model **out, oq_error *err) {
    *out = NULL;
    oq_model *copy = NULL;
    OQ_TRY(oq_model_new(model->mem, &copy, err));
    cloning c = {.model = copy, .err = err};
    copy->path = clone_text(&c, model->path);
    copy->file = model->file ? oq_file_retain(model->file) : NULL;
    copy->ir_version = model->ir_version;
    copy->producer_name = clone_text(&c, model->producer_name);
    copy->producer_version = clone_text(&c, model->producer_version);
    copy->domain = clone_text(&c, model->domain);
    copy->doc = clone_text(&c, model->doc);
    copy->model_version = model->model_version;
    copy->has_model_version = model->has_model_version;
    copy->imports = clone_imports(&c, model->imports, model->import_count);
    copy->import_count = model->import_count;
    copy->metadata = clone_pairs(&c, model->metadata, model->metadata_count);
    copy->metadata_count = model->metadata_count;
    copy->changed = model->changed;
    copy->origin = clone_origin(&c, model->origin);
    copy->functions = clone_block(&c, model->functions, model->function_count, sizeof *copy->functions);
    for (size_t i = 0; copy->functions && i < model->function_count && !c.failed; i++)
        clone_function(&c, &model->functions[i], &copy->functions[i]);
    copy->function_count = model->function_count;
    copy->graph = clone_graph(&c, model->graph, NULL, NULL);
    if (c.failed) {
        oq_model_free(copy);
        return oq_fail(err, ONNXQ_NO_MEMORY, "not enough memory for a copy of the model");
    }
    *out = copy;
    return ONNXQ_OK;
}
