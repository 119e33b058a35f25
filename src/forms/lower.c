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

oq_status oq_forms_lower(oq_graph *graph, oq_forms *out, oq_error *err) {
    oq_node_id *order = NULL;
    size_t count;
    OQ_TRY(oq_pass_fold_quantized(graph, err));
    OQ_TRY(oq_graph_order(graph, &order, &count, err));
    oq_status status = ONNXQ_OK;
    for (size_t i = 0; status == ONNXQ_OK && i < count; i++) {
        oq_node *node = oq_graph_node(graph, order[i]);
        if (node->dead || *node->domain) continue;
        status =
            is_product(node) ? lower_product(graph, node, out, err) : oq_lower_move(graph, node, out, err);
    }
    oq_mem_free(graph->model->mem, order);
    return status == ONNXQ_OK ? oq_graph_sweep(graph, true, err) : status;
}
