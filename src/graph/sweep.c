// The sweep: removes what no output of the graph needs, inner graphs first.
#include "graph/storage.h"

// Marks the nodes from which an output can be reached. Without recursion: chains may be very long.
static oq_status mark_needed(const oq_graph *graph, bool *needed, oq_error *err) {
    oq_mem *mem = graph->model->mem;
    oq_node_id *stack = oq_mem_calloc(mem, graph->node_count + 1, sizeof *stack, err);
    if (!stack) return ONNXQ_NO_MEMORY;
    size_t depth = 0;
    size_t output = 0;
    while (depth || output < graph->output_count) {
        const oq_value_id *reads = graph->outputs + output;
        const oq_node *node = depth ? graph->nodes[stack[--depth]] : NULL;
        const size_t count = node ? node->input_count + node->capture_count : 1;
        if (!node) output++;
        for (size_t i = 0; i < count; i++) {
            oq_value_id id = node ? OQ_NONE : reads[0];
            if (node) id = i < node->input_count ? node->inputs[i] : node->captures[i - node->input_count];
            const oq_node_id producer = id == OQ_NONE ? OQ_NONE : graph->values[id]->producer;
            if (producer == OQ_NONE || needed[producer]) continue;
            needed[producer] = true; // each node is pushed once, so the stack is long enough
            stack[depth++] = producer;
        }
    }
    oq_mem_free(mem, stack);
    return ONNXQ_OK;
}

typedef struct sweep_visit {
    bool nodes;
} sweep_visit;

static oq_status sweep_body(void *self, oq_graph *body, oq_error *err) {
    const sweep_visit *visit = self;
    return oq_graph_sweep(body, visit->nodes, err);
}

static oq_status sweep_nodes(oq_graph *graph, oq_error *err) {
    bool *needed = oq_mem_calloc(graph->model->mem, graph->node_count + 1, sizeof *needed, err);
    if (!needed) return ONNXQ_NO_MEMORY;
    const oq_status status = mark_needed(graph, needed, err);
    for (size_t i = 0; status == ONNXQ_OK && i < graph->node_count; i++)
        if (!needed[i]) oq_graph_remove_node(graph, graph->nodes[i]);
    oq_mem_free(graph->model->mem, needed);
    return status;
}

oq_status oq_graph_sweep(oq_graph *graph, bool nodes, oq_error *err) {
    if (nodes) OQ_TRY(sweep_nodes(graph, err));
    for (size_t i = 0; i < graph->node_count; i++) {
        oq_node *node = graph->nodes[i];
        if (node->dead) continue;
        sweep_visit visit = {.nodes = nodes};
        OQ_TRY(oq_node_each_body(node, sweep_body, &visit, err));
        OQ_TRY(oq_capture_sweep(graph, node, err));
    }
    if (nodes) OQ_TRY(sweep_nodes(graph, err)); // what only a dropped capture needed
    for (size_t i = 0; i < graph->value_count; i++) {
        const oq_gvalue *value = graph->values[i];
        if (!value->dead && !value->is_capture && oq_value_is_idle(value))
            oq_value_kill(graph, (oq_value_id)i);
    }
    return ONNXQ_OK;
}
