// How many bytes the weights of layers took as floats and take as integers, and what was added to them.
#include "quant/emit.h"

// Bytes of a constant that the file still holds, else 0.
static uint64_t bytes_of(oq_graph *graph, oq_value_id value) {
    const oq_constant *constant = value == OQ_NONE ? NULL : oq_graph_constant(graph, value);
    return constant && oq_graph_value(graph, value)->use_count ? oq_constant_bytes(constant) : 0;
}

oq_status oq_emit_note_sizes(const oq_emitter *e, oq_arena *arena, oq_error *err) {
    const oq_plan *plan = e->plan;
    bool *counted = oq_arena_calloc(arena, e->graph->value_count + 1, sizeof *counted, err);
    if (!counted) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < plan->order_count; i++) {
        const int32_t index = plan->layer_of[plan->order[i]];
        if (index < 0 || plan->layers[index].dropped) continue;
        const oq_emitted_weight *written = &e->written[index];
        const oq_operand *operand = plan->layers[index].operand;
        if (!operand->weight) operand++;
        if (!operand->weight || written->stored == OQ_NONE) continue;
        oq_node_plan *node = &plan->nodes[plan->order[i]];
        node->weights = (oq_weight_bytes){.before = oq_constant_bytes(operand->constant),
                                          .after = bytes_of(e->graph, written->stored) +
                                                   bytes_of(e->graph, written->scale) +
                                                   bytes_of(e->graph, written->zero)};
        node->zero_outputs = (size_t)written->more_rows;
        node->zero_inputs = (size_t)written->more_columns;
        node->counted.before = counted[operand->value] ? 0 : node->weights.before;
        node->counted.after = counted[written->stored] ? 0 : node->weights.after;
        counted[operand->value] = counted[written->stored] = true;
    }
    return ONNXQ_OK;
}
