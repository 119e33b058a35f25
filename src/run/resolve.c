// Whether nodes can be run, and by what.
#include "run/builder.h"

oq_status oq_node_resolve(const oq_graph *graph, const oq_node *node, const oq_function **function,
                          const oq_op_version **version, int64_t *opset, oq_error *err) {
    *version = NULL;
    *function = oq_function_of_node(graph->model, node);
    if (*function) return ONNXQ_OK;
    *opset = oq_graph_opset(graph, node->domain);
    if (*opset == 0) *opset = 1; // models from before opset imports
    const oq_op *op = oq_op_find(node->domain, node->op_type);
    *version = op ? oq_op_at(op, *opset) : NULL;
    if (*version && (*version)->run) return ONNXQ_OK;
    oq_status status;
    if (!op)
        status = oq_fail(err, ONNXQ_UNSUPPORTED,
                         "operator %s of domain %s is not known, so this node cannot be run", node->op_type,
                         node->domain[0] ? node->domain : "ai.onnx");
    else if (!*version)
        status = oq_fail(err, ONNXQ_BAD_MODEL, "this operator is younger than the model's opset %lld",
                         (long long)*opset);
    else
        status = oq_fail(err, ONNXQ_UNSUPPORTED,
                         "operator %s%s%s cannot be run at opset %lld; `onnxq ops` lists those that can",
                         node->domain, node->domain[0] ? "." : "", node->op_type, (long long)*opset);
    oq_error_name_node(err, node);
    return status;
}

// `seen` [function_count of the model]: local functions that were looked into.
static oq_status check_graph(const oq_graph *graph, bool *seen, oq_error *err);

static oq_status check_node(const oq_graph *graph, const oq_node *node, bool *seen, oq_error *err) {
    const oq_function *function;
    const oq_op_version *version;
    int64_t opset;
    OQ_TRY(oq_node_resolve(graph, node, &function, &version, &opset, err));
    if (function) {
        bool *mark = &seen[function - graph->model->functions];
        if (*mark) return ONNXQ_OK;
        *mark = true;
        return check_graph(function->body, seen, err);
    }
    for (size_t a = 0; a < node->attr_count; a++) {
        const oq_attr *attr = &node->attrs[a];
        if (attr->kind == OQ_ATTR_GRAPH && attr->graph) OQ_TRY(check_graph(attr->graph, seen, err));
        for (size_t g = 0; attr->kind == OQ_ATTR_GRAPHS && g < attr->count; g++)
            OQ_TRY(check_graph(attr->graphs[g], seen, err));
    }
    return ONNXQ_OK;
}

static oq_status check_graph(const oq_graph *graph, bool *seen, oq_error *err) {
    for (size_t n = 0; n < graph->node_count; n++)
        if (!graph->nodes[n]->dead) OQ_TRY(check_node(graph, graph->nodes[n], seen, err));
    return ONNXQ_OK;
}

oq_status oq_graph_can_run(const oq_graph *graph, oq_error *err) {
    bool *seen = oq_mem_calloc(graph->model->mem, graph->model->function_count + 1, sizeof *seen, err);
    if (!seen) return ONNXQ_NO_MEMORY;
    const oq_status status = check_graph(graph, seen, err);
    oq_mem_free(graph->model->mem, seen);
    return status;
}
