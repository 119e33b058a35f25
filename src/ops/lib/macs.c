// Counting multiply-accumulates over inferred types.
#include "ops/lib/macs.h"

static const oq_type *ranked(const oq_graph *graph, oq_value_id id) {
    if (id == OQ_NONE) return NULL;
    const oq_type *type = &oq_graph_value(graph, id)->type;
    return type->kind == OQ_TYPE_TENSOR && type->rank >= 0 ? type : NULL;
}

const oq_type *oq_macs_input(const oq_graph *graph, const oq_node *node, size_t i) {
    return i < node->input_count ? ranked(graph, node->inputs[i]) : NULL;
}

const oq_type *oq_macs_output(const oq_graph *graph, const oq_node *node, size_t i) {
    return i < node->output_count ? ranked(graph, node->outputs[i]) : NULL;
}

uint64_t oq_macs_dim(const oq_type *type, int axis) {
    if (axis < 0 || axis >= type->rank || !oq_dim_known(type->dim[axis])) return 1;
    return (uint64_t)type->dim[axis].size;
}

uint64_t oq_macs_times(uint64_t a, uint64_t b) {
    uint64_t product = 0;
    return __builtin_mul_overflow(a, b, &product) ? UINT64_MAX : product;
}

uint64_t oq_macs_elements(const oq_type *type, int from) {
    uint64_t count = 1;
    for (int axis = from; axis < type->rank; axis++) count = oq_macs_times(count, oq_macs_dim(type, axis));
    return count;
}
