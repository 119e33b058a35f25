// Schema check of a graph: operators known, inputs and outputs in arity, attributes, types.
#include "ops/lib/signature.h"

#include <stdio.h>
#include <string.h>

#define MAX_TYPE_VARIABLES 32
#define MAX_BODY_DEPTH     100 // the same bound as the scan of model files

typedef struct checker {
    oq_graph *graph;
    const oq_node *node;
    const oq_op *op;
    const oq_op_version *version;
    int64_t opset;
    oq_signature signature;
    oq_error *err;
} checker;

static const char *domain_text(const char *domain) { return *domain ? domain : "ai.onnx"; }

// --- operator ---

static oq_status unknown_operator(const checker *c, bool strict) {
    const oq_node *node = c->node;
    if (*node->domain && !strict) return ONNXQ_OK;
    const char *names[1024];
    size_t count = 0;
    for (const oq_op *const *op = oq_op_table; *op && count < 1024; ++op)
        if (!strcmp((*op)->domain, node->domain)) names[count++] = (*op)->name;
    const char *near = oq_nearest_word(node->op_type, names, count);
    return oq_fail(c->err, ONNXQ_UNSUPPORTED, "operator %s of domain %s is not known%s%s%s", node->op_type,
                   domain_text(node->domain), near ? " (did you mean " : "", near ? near : "",
                   near ? "?)" : "");
}

static oq_status too_young(const checker *c) {
    const oq_node *node = c->node;
    if (c->opset <= 0)
        return oq_fail(c->err, ONNXQ_BAD_MODEL, "the model uses domain %s but imports no opset of it",
                       domain_text(node->domain));
    return oq_fail(c->err, ONNXQ_BAD_MODEL,
                   "%s exists from opset %d of domain %s on, but the model imports %lld", node->op_type,
                   c->op->versions[0].since, domain_text(node->domain), (long long)c->opset);
}

// --- inputs and outputs ---

static oq_status check_count(const checker *c, const oq_params *params, size_t given, const char *what) {
    if (given >= params->least && given <= params->most) return ONNXQ_OK;
    char range[64];
    if (params->most == SIZE_MAX)
        snprintf(range, sizeof range, "at least %zu", params->least);
    else if (params->least == params->most)
        snprintf(range, sizeof range, "%zu", params->least);
    else
        snprintf(range, sizeof range, "%zu to %zu", params->least, params->most);
    return oq_fail(c->err, ONNXQ_BAD_MODEL, "%s of opset %lld has %s %s, but this node has %zu", c->op->name,
                   (long long)c->opset, range, what, given);
}

static oq_status check_present(const checker *c, const oq_params *params, const oq_value_id *ids,
                               size_t given, const char *what) {
    for (size_t i = 0; i < given; ++i) {
        const oq_param *param = oq_params_at(params, i);
        if (ids[i] != OQ_NONE || param->optional || param->variadic) continue;
        return oq_fail(c->err, ONNXQ_BAD_MODEL, "%s '%.*s' of %s is left out, but it is required", what,
                       (int)param->name_length, param->name, c->op->name);
    }
    return ONNXQ_OK;
}

static oq_status check_arity(const checker *c) {
    const oq_node *node = c->node;
    // Trailing empty names count as not given.
    size_t inputs = node->input_count, outputs = node->output_count;
    while (inputs > c->signature.in.least && node->inputs[inputs - 1] == OQ_NONE) --inputs;
    while (outputs > c->signature.out.least && node->outputs[outputs - 1] == OQ_NONE) --outputs;
    OQ_TRY(check_count(c, &c->signature.in, inputs, "inputs"));
    OQ_TRY(check_count(c, &c->signature.out, outputs, "outputs"));
    return check_present(c, &c->signature.in, node->inputs, inputs, "input");
}

// --- attributes ---

static const oq_attr_spec *find_spec(const oq_op_version *version, const char *name) {
    for (const oq_attr_spec *spec = version->attrs; spec && spec->name; ++spec)
        if (!strcmp(spec->name, name)) return spec;
    return NULL;
}

static const char *kind_name(oq_attr_kind kind) {
    static const char *const names[] = {
        "none",    "float",   "int",    "string",        "tensor",         "graph", "floats", "ints",
        "strings", "tensors", "graphs", "sparse tensor", "sparse tensors", "type",  "types"};
    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "unknown";
}

static oq_status unknown_attr(const checker *c, const oq_attr *attr) {
    for (size_t v = 0; v < c->op->version_count; ++v) {
        const oq_op_version *version = &c->op->versions[v];
        if (find_spec(version, attr->name))
            return oq_fail(c->err, ONNXQ_BAD_MODEL, "%s of opset %lld has no attribute '%s' (version %d has)",
                           c->op->name, (long long)c->opset, attr->name, version->since);
    }
    const char *names[64];
    size_t count = 0;
    for (const oq_attr_spec *spec = c->version->attrs; spec && spec->name && count < 64; ++spec)
        names[count++] = spec->name;
    const char *near = oq_nearest_word(attr->name, names, count);
    return oq_fail(c->err, ONNXQ_BAD_MODEL, "%s has no attribute '%s'%s%s%s", c->op->name, attr->name,
                   near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

static oq_status check_attrs(const checker *c) {
    const oq_node *node = c->node;
    for (size_t a = 0; a < node->attr_count; ++a) {
        const oq_attr *attr = &node->attrs[a];
        const oq_attr_spec *spec = find_spec(c->version, attr->name);
        if (!spec) return unknown_attr(c, attr);
        // Inside a function body the kind of the caller's attribute counts, which is not known here.
        if (attr->kind != spec->kind && !(attr->reference && *attr->reference))
            return oq_fail(c->err, ONNXQ_BAD_MODEL,
                           "attribute '%s' of %s must be of kind %s, but it is of kind %s", attr->name,
                           c->op->name, kind_name(spec->kind), kind_name(attr->kind));
    }
    for (const oq_attr_spec *spec = c->version->attrs; spec && spec->name; ++spec)
        if (spec->required && !oq_node_attr(node, spec->name))
            return oq_fail(c->err, ONNXQ_BAD_MODEL, "%s of opset %lld needs attribute '%s'", c->op->name,
                           (long long)c->opset, spec->name);
    return ONNXQ_OK;
}

// --- types ---

// Element types that a type fixes, through sequences and optionals, compared as far as both are known.
static bool types_agree(const oq_type *a, const oq_type *b) {
    for (int depth = 0; a && b && depth < 8; ++depth) {
        if (a->kind == OQ_TYPE_UNKNOWN || b->kind == OQ_TYPE_UNKNOWN) return true;
        if (a->kind != b->kind) return false;
        if (a->dtype && b->dtype && a->dtype != b->dtype) return false;
        a = a->elem, b = b->elem;
    }
    return true;
}

static oq_status check_type(const checker *c, const oq_params *params, size_t i, oq_value_id id,
                            const oq_type **bound) {
    const oq_gvalue *value = oq_graph_value(c->graph, id);
    const oq_param *param = oq_params_at(params, i);
    const uint64_t bits = oq_type_bits(&value->type);
    if (!bits) return ONNXQ_OK;
    oq_status status = ONNXQ_OK;
    oq_text text;
    oq_text_init(&text, c->graph->model->mem);
    oq_type_format(&value->type, &text);
    if (!(oq_param_allowed(c->version, param) & bits)) {
        status = oq_fail(c->err, ONNXQ_BAD_MODEL, "'%.*s' of %s (opset %lld) does not take %s ('%s')",
                         (int)param->name_length, param->name, c->op->name, (long long)c->opset,
                         oq_text_get(&text), value->name);
    } else if (param->variable >= 0 && param->variable < MAX_TYPE_VARIABLES && !param->mixed) {
        const oq_type **slot = &bound[param->variable];
        if (!*slot) {
            *slot = &value->type;
        } else if (!types_agree(*slot, &value->type)) {
            status =
                oq_fail(c->err, ONNXQ_BAD_MODEL,
                        "'%.*s' of %s is %s ('%s'), but other values of its type variable %.*s are %s",
                        (int)param->name_length, param->name, c->op->name, oq_text_get(&text), value->name,
                        (int)param->type_length, param->type, onnxq_dtype_name((*slot)->dtype));
        }
    }
    oq_text_release(&text);
    return status;
}

static oq_status check_types(const checker *c) {
    const oq_type *bound[MAX_TYPE_VARIABLES] = {NULL};
    for (size_t i = 0; i < c->node->input_count; ++i)
        if (c->node->inputs[i] != OQ_NONE)
            OQ_TRY(check_type(c, &c->signature.in, i, c->node->inputs[i], bound));
    for (size_t i = 0; i < c->node->output_count; ++i)
        if (c->node->outputs[i] != OQ_NONE)
            OQ_TRY(check_type(c, &c->signature.out, i, c->node->outputs[i], bound));
    return ONNXQ_OK;
}

// --- the walk ---

static oq_status check_function_call(const checker *c, const oq_function *function) {
    const oq_node *node = c->node;
    if (node->input_count <= function->body->input_count &&
        node->output_count <= function->body->output_count)
        return ONNXQ_OK;
    return oq_fail(c->err, ONNXQ_BAD_MODEL,
                   "local function %s has %zu inputs and %zu outputs, but this node has %zu and %zu",
                   function->name, function->body->input_count, function->body->output_count,
                   node->input_count, node->output_count);
}

static oq_status check_node(checker *c, bool strict) {
    const oq_function *function = oq_function_of_node(c->graph->model, c->node);
    if (function) return check_function_call(c, function);
    c->op = oq_op_find(c->node->domain, c->node->op_type);
    if (!c->op) return unknown_operator(c, strict);
    c->opset = oq_graph_opset(c->graph, c->node->domain);
    c->version = oq_op_at(c->op, c->opset);
    if (!c->version) return too_young(c);
    OQ_TRY(oq_signature_parse(c->version, &c->signature, c->err));
    OQ_TRY(check_arity(c));
    OQ_TRY(check_attrs(c));
    return check_types(c);
}

static oq_status check_nodes(oq_graph *graph, bool strict, int depth, oq_error *err);

static oq_status check_bodies(const oq_node *node, bool strict, int depth, oq_error *err) {
    for (size_t a = 0; a < node->attr_count; ++a) {
        const oq_attr *attr = &node->attrs[a];
        if (attr->kind == OQ_ATTR_GRAPH && attr->graph)
            OQ_TRY(check_nodes(attr->graph, strict, depth + 1, err));
        for (size_t g = 0; attr->kind == OQ_ATTR_GRAPHS && g < attr->count; ++g)
            OQ_TRY(check_nodes(attr->graphs[g], strict, depth + 1, err));
    }
    return ONNXQ_OK;
}

static oq_status check_nodes(oq_graph *graph, bool strict, int depth, oq_error *err) {
    if (depth > MAX_BODY_DEPTH)
        return oq_fail(err, ONNXQ_BAD_MODEL, "graphs are nested more than %d deep", MAX_BODY_DEPTH);
    for (size_t n = 0; n < graph->node_count; ++n) {
        const oq_node *node = graph->nodes[n];
        if (node->dead) continue;
        checker c = {.graph = graph, .node = node, .err = err};
        const oq_status status = check_node(&c, strict);
        if (status != ONNXQ_OK) {
            char buffer[256];
            const char *label = oq_node_label(node, buffer, sizeof buffer);
            oq_error_prefix(err, "node '%s' (%s): ", label, node->op_type);
            oq_error_at_node(err, label, node->op_type);
            return status;
        }
        OQ_TRY(check_bodies(node, strict, depth, err));
    }
    return ONNXQ_OK;
}

oq_status oq_check_graph(oq_graph *graph, bool strict, oq_error *err) {
    OQ_TRY(check_nodes(graph, strict, 0, err));
    const oq_model *model = graph->model;
    for (size_t f = 0; graph == model->graph && f < model->function_count; ++f)
        OQ_TRY(check_nodes(model->functions[f].body, strict, 0, err));
    return ONNXQ_OK;
}
