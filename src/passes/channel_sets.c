// Union-find over values whose channels belong together.
#include "passes/channel_sets.h"

oq_status oq_channel_sets_begin(oq_channel_sets *sets, const oq_graph *graph, oq_error *err) {
    oq_mem *mem = graph->model->mem;
    *sets = (oq_channel_sets){.graph = graph, .count = graph->value_count};
    sets->leader = oq_mem_calloc(mem, sets->count + 1, sizeof *sets->leader, err);
    sets->spoiled = oq_mem_calloc(mem, sets->count + 1, sizeof *sets->spoiled, err);
    if (!sets->leader || !sets->spoiled) return ONNXQ_NO_MEMORY;
    for (size_t v = 0; v < sets->count; v++) sets->leader[v] = (oq_value_id)v;
    return ONNXQ_OK;
}

void oq_channel_sets_release(oq_channel_sets *sets) {
    if (!sets->graph) return;
    oq_mem_free(sets->graph->model->mem, sets->leader);
    oq_mem_free(sets->graph->model->mem, sets->spoiled);
    *sets = (oq_channel_sets){0};
}

oq_value_id oq_channel_sets_leader(const oq_channel_sets *sets, oq_value_id value) {
    while (sets->leader[value] != value) value = sets->leader[value] = sets->leader[sets->leader[value]];
    return value;
}

void oq_channel_sets_spoil(const oq_channel_sets *sets, oq_value_id value) {
    if (value != OQ_NONE) sets->spoiled[oq_channel_sets_leader(sets, value)] = true;
}

void oq_channel_sets_spoil_node(const oq_channel_sets *sets, const oq_node *node) {
    for (size_t i = 0; i < node->input_count; i++) oq_channel_sets_spoil(sets, node->inputs[i]);
    for (size_t i = 0; i < node->capture_count; i++) oq_channel_sets_spoil(sets, node->captures[i]);
    for (size_t i = 0; i < node->output_count; i++) oq_channel_sets_spoil(sets, node->outputs[i]);
}

size_t oq_channels_of(const oq_graph *graph, oq_value_id value) {
    const oq_type *type = &oq_graph_value(graph, value)->type;
    const bool known = type->kind == OQ_TYPE_TENSOR && type->dtype == ONNXQ_FLOAT && type->rank >= 2 &&
                       oq_dim_known(type->dim[1]);
    return known ? (size_t)type->dim[1].size : 0;
}

void oq_channel_sets_join(const oq_channel_sets *sets, oq_value_id a, oq_value_id b) {
    const oq_value_id x = oq_channel_sets_leader(sets, a), y = oq_channel_sets_leader(sets, b);
    const size_t channels = oq_channels_of(sets->graph, a);
    const bool spoiled =
        sets->spoiled[x] || sets->spoiled[y] || !channels || channels != oq_channels_of(sets->graph, b);
    sets->leader[x] = y;
    sets->spoiled[y] = spoiled;
}

bool oq_keeps_channels(const oq_graph *graph, const oq_node *node) {
    if (!oq_node_is(node, "Reshape") && !oq_node_is(node, "Flatten") && !oq_node_is(node, "Squeeze"))
        return false;
    for (int side = 0; side < 2; side++) {
        const oq_type *type = &oq_graph_value(graph, side ? node->outputs[0] : node->inputs[0])->type;
        if (type->kind != OQ_TYPE_TENSOR || type->rank < 2) return false;
        for (int d = 2; d < type->rank; d++)
            if (type->dim[d].size != 1) return false;
    }
    return true;
}
