// The operator table: finding an operator and the version of it that holds for a model's opset.
#include "ops/ops.h"

#include <string.h>

const oq_op *oq_op_find(const char *domain, const char *name) {
    // A few hundred entries whose names mostly differ in the first letters: a scan costs about a microsecond.
    for (const oq_op *const *op = oq_op_table; *op; ++op)
        if (!strcmp((*op)->name, name) && !strcmp((*op)->domain, domain)) return *op;
    return NULL;
}

const oq_op_version *oq_op_at(const oq_op *op, int64_t opset) {
    const oq_op_version *found = NULL;
    for (size_t v = 0; v < op->version_count && op->versions[v].since <= opset; ++v) found = &op->versions[v];
    return found;
}

const oq_op_version *oq_op_of_node(const oq_model *model, const oq_node *node, const oq_op **op) {
    const oq_op *found = oq_op_find(node->domain, node->op_type);
    if (op) *op = found;
    return found ? oq_op_at(found, oq_model_opset(model, node->domain)) : NULL;
}

bool oq_op_is_random(oq_graph *graph, const oq_node *node) {
    const oq_op *op;
    const oq_op_version *version = oq_op_of_node(graph->model, node, &op);
    if (!version) return true;
    return version->random ? version->random(graph, node) : (op->flags & OQ_OP_RANDOM) != 0;
}

static int64_t imported(const oq_import *imports, size_t count, const char *domain) {
    for (size_t i = 0; i < count; ++i)
        if (!strcmp(imports[i].domain, domain)) return imports[i].version;
    return 0;
}

int64_t oq_graph_opset(const oq_graph *graph, const char *domain) {
    const oq_graph *root = graph;
    while (root->parent) root = root->parent;
    const oq_model *model = graph->model;
    for (size_t f = 0; f < model->function_count; ++f) {
        const oq_function *function = &model->functions[f];
        if (function->body == root) return imported(function->imports, function->import_count, domain);
    }
    return oq_model_opset(model, domain);
}

const oq_function *oq_function_of_node(const oq_model *model, const oq_node *node) {
    for (size_t f = 0; f < model->function_count; ++f) {
        const oq_function *function = &model->functions[f];
        if (!strcmp(function->name, node->op_type) && !strcmp(function->domain, node->domain) &&
            !strcmp(function->overload ? function->overload : "", node->overload ? node->overload : ""))
            return function;
    }
    return NULL;
}
