// Values whose size, or which of many things they are of, is decided by computed numbers.
#include "ops/ops.h"

static bool selects(const oq_node *node) {
    static const char *const types[] = {
        "NonMaxSuppression", "NonZero", "Unique", "Compress", "Loop", "If", "Scan"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (oq_node_is(node, types[i])) return true;
    return false;
}

static bool has_known_size(const oq_graph *graph, oq_value_id value) {
    const oq_type *type = &oq_graph_value(graph, value)->type;
    if (type->kind != OQ_TYPE_TENSOR || type->rank < 0) return false;
    for (int d = 0; d < type->rank; d++)
        if (!oq_dim_known(type->dim[d])) return false;
    return true;
}

oq_status oq_graph_varying(const oq_graph *graph, bool *varies, oq_error *err) {
    oq_node_id *order = NULL;
    size_t count = 0;
    for (size_t v = 0; v < graph->value_count; v++) varies[v] = false;
    OQ_TRY(oq_graph_order(graph, &order, &count, err));
    for (size_t i = 0; i < count; i++) {
        const oq_node *node = oq_graph_node(graph, order[i]);
        bool any = selects(node);
        for (size_t k = 0; k < node->input_count; k++)
            any |= node->inputs[k] != OQ_NONE && varies[node->inputs[k]];
        for (size_t k = 0; any && k < node->output_count; k++)
            if (node->outputs[k] != OQ_NONE)
                varies[node->outputs[k]] = !has_known_size(graph, node->outputs[k]);
    }
    oq_mem_free(graph->model->mem, order);
    return ONNXQ_OK;
}
