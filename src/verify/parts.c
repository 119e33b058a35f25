// Parts of outputs that a Concat puts together.
#include "verify/parts.h"

// The Concat behind an output, also behind Identity nodes, or NULL.
static const oq_node *concat_of(const oq_graph *graph, oq_value_id output) {
    const oq_node *node;
    while ((node = oq_graph_producer_is(graph, output, "Identity"))) output = node->inputs[0];
    return oq_graph_producer_is(graph, output, "Concat");
}

// Appends a Concat's inputs to `parts`; false when their sizes are not known.
static bool list(const oq_graph *graph, const oq_node *concat, size_t output, oq_part *parts) {
    int64_t from = 0;
    for (size_t i = 0; i < concat->input_count; i++) {
        const oq_gvalue *value = oq_graph_value(graph, concat->inputs[i]);
        const int rank = value->type.kind == OQ_TYPE_TENSOR ? value->type.rank : -1;
        int64_t axis = oq_node_int(concat, "axis", 1);
        if (axis < 0) axis += rank;
        if (axis < 1 || axis >= rank || !oq_dim_known(value->type.dim[axis])) return false;
        parts[i] = (oq_part){output, value->name, (int)axis, from, value->type.dim[axis].size};
        from += parts[i].size;
    }
    return true;
}

oq_status oq_parts_find(const oq_graph *graph, const oq_value_id *outputs, size_t count, oq_part **parts,
                        size_t *part_count, oq_error *err) {
    size_t most = 0;
    *parts = NULL;
    *part_count = 0;
    for (size_t o = 0; o < count; o++) {
        const oq_node *concat = concat_of(graph, outputs[o]);
        most += concat ? concat->input_count : 0;
    }
    if (!most) return ONNXQ_OK;
    *parts = oq_mem_calloc(graph->model->mem, most, sizeof **parts, err);
    if (!*parts) return ONNXQ_NO_MEMORY;
    for (size_t o = 0; o < count; o++) {
        const oq_node *concat = concat_of(graph, outputs[o]);
        if (concat && concat->input_count > 1 && list(graph, concat, o, *parts + *part_count))
            *part_count += concat->input_count;
    }
    return ONNXQ_OK;
}

void oq_part_compare(const oq_part *part, const oq_value *y, const oq_value *z, size_t real, size_t rows,
                     oq_difference *out) {
    *out = (oq_difference){0};
    if (y->kind != OQ_VALUE_TENSOR || z->kind != OQ_VALUE_TENSOR) return;
    const oq_shape *shape = &y->tensor.shape;
    if (!oq_shape_equal(shape, &z->tensor.shape) || part->axis >= shape->rank ||
        part->from + part->size > shape->dim[part->axis])
        return;
    const size_t inner = (size_t)oq_shape_range_count(shape, part->axis + 1, shape->rank),
                 whole = (size_t)shape->dim[part->axis] * inner, own = (size_t)part->size * inner;
    size_t outer = (size_t)oq_shape_range_count(shape, 0, part->axis);
    if (rows > real && (size_t)shape->dim[0] == rows) outer = outer / rows * real;
    for (size_t i = 0; i < outer; i++) {
        oq_difference more;
        oq_compare_elements(&y->tensor, &z->tensor, i * whole + (size_t)part->from * inner, own, &more);
        oq_difference_add(out, &more);
    }
}
