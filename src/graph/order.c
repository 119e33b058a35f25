// Topological order: depth first from each node in the order of ids, without recursion.
#include "graph/storage.h"

#include <string.h>

typedef enum node_state { UNSEEN, OPEN, DONE } node_state;

// A node whose producers are being put in order, and the next input to look at.
typedef struct visit {
    oq_node_id node;
    size_t next;
} visit;

typedef struct ordering {
    const oq_graph *graph;
    uint8_t *state; // per node
    visit *stack;   // each node opens once, so its length is bounded by their number
    size_t depth;
    oq_node_id *order;
    size_t count;
} ordering;

// The producer behind input (or capture) `index` when it is still to be ordered, else OQ_NONE.
static oq_node_id producer_at(const oq_graph *graph, const oq_node *node, size_t index) {
    const oq_value_id id =
        index < node->input_count ? node->inputs[index] : node->captures[index - node->input_count];
    return id == OQ_NONE ? OQ_NONE : graph->values[id]->producer;
}

// Names the nodes of a cycle that closes at `first`, at most a handful.
static oq_status report_cycle(const ordering *o, oq_node_id first, oq_error *err) {
    size_t begin = o->depth;
    while (begin && o->stack[begin - 1].node != first) begin--;
    begin -= begin > 0;
    const size_t length = o->depth - begin;
    oq_text names;
    oq_text_init(&names, o->graph->model->mem);
    for (size_t i = 0; i < length && i < 5; i++) {
        char label[128];
        const oq_node *node = o->graph->nodes[o->stack[o->depth - 1 - i].node];
        oq_text_printf(&names, "%s'%s' (%s)", i ? " -> " : "", oq_node_label(node, label, sizeof label),
                       node->op_type);
    }
    if (length > 5) oq_text_printf(&names, " and %zu more", length - 5);
    oq_fail(err, ONNXQ_BAD_MODEL, "graph '%s' has a cycle of %zu node%s: %s", o->graph->name, length,
            length == 1 ? "" : "s", oq_text_get(&names));
    oq_text_release(&names);
    return ONNXQ_BAD_MODEL;
}

static oq_status order_from(ordering *o, oq_node_id root, oq_error *err) {
    o->stack[o->depth++] = (visit){.node = root};
    o->state[root] = OPEN;
    while (o->depth) {
        visit *top = &o->stack[o->depth - 1];
        const oq_node *node = o->graph->nodes[top->node];
        if (top->next == node->input_count + node->capture_count) {
            o->state[top->node] = DONE;
            o->order[o->count++] = top->node;
            o->depth--;
            continue;
        }
        const oq_node_id producer = producer_at(o->graph, node, top->next++);
        if (producer == OQ_NONE || o->state[producer] == DONE) continue;
        if (o->state[producer] == OPEN) return report_cycle(o, producer, err);
        o->state[producer] = OPEN;
        o->stack[o->depth++] = (visit){.node = producer};
    }
    return ONNXQ_OK;
}

oq_status oq_graph_order(const oq_graph *graph, oq_node_id **order, size_t *count, oq_error *err) {
    oq_mem *mem = graph->model->mem;
    *order = NULL;
    *count = 0;
    ordering o = {.graph = graph};
    oq_status status = ONNXQ_NO_MEMORY;
    o.state = oq_mem_calloc(mem, graph->node_count, sizeof *o.state, err);
    o.stack = oq_mem_calloc(mem, graph->node_count, sizeof *o.stack, err);
    o.order = oq_mem_calloc(mem, graph->node_count, sizeof *o.order, err);
    if (o.state && o.stack && o.order) status = ONNXQ_OK;
    for (size_t i = 0; status == ONNXQ_OK && i < graph->node_count; i++)
        if (!graph->nodes[i]->dead && o.state[i] == UNSEEN) status = order_from(&o, (oq_node_id)i, err);
    oq_mem_free(mem, o.state);
    oq_mem_free(mem, o.stack);
    if (status != ONNXQ_OK) {
        oq_mem_free(mem, o.order);
        return status;
    }
    *order = o.order;
    *count = o.count;
    return ONNXQ_OK;
}
