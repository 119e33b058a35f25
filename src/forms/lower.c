// The float operators of a Q/DQ graph to integer operators, node by node.
#include "forms/lower.h"

static bool is_product(const oq_node *node) {
    return oq_node_is(node, "Conv") || oq_node_is(node, "MatMul") || oq_node_is(node, "Gemm");
}

static oq_status lower_product(oq_graph *graph, oq_node *node, oq_forms *forms, oq_error *err) {
    oq_lower_product product;
    const char *reason = NULL;
    oq_lower_match(graph, node, &product, &reason);
    if (!reason) OQ_TRY(oq_lower_write(graph, &product, &reason, err));
    if (reason) return oq_forms_leave(forms, graph, node, reason, err);
    forms->rewritten++;
    return ONNXQ_OK;
}

static oq_status lower_node(oq_graph *graph, oq_node *node, void *none, oq_forms *forms, oq_error *err) {
    (void)none;
    if (*node->domain) return ONNXQ_OK;
    return is_product(node) ? lower_product(graph, node, forms, err) : oq_lower_move(graph, node, forms, err);
}

oq_status oq_forms_lower(oq_graph *graph, oq_forms *out, oq_error *err) {
    return oq_forms_rewrite(graph, lower_node, NULL, out, err);
}
