// A Pad of zeros before a Conv becomes the convolution's own padding: kernels pad for nothing, a Pad copies
// the tensor.
#include "passes/passes.h"

#include <string.h>

// Begin and end of every axis, as far as a Pad gives them.
typedef struct padding {
    int rank;
    int64_t begin[OQ_MAX_RANK], end[OQ_MAX_RANK];
} padding;

// Reads a small constant of integers; false when the input is none.
static bool constant_ints(oq_graph *graph, const oq_node *node, size_t input, int64_t *into, size_t limit,
                          size_t *count) {
    oq_tensor tensor = {0};
    oq_error ignored = {0};
    if (input >= node->input_count || node->inputs[input] == OQ_NONE) return false;
    const oq_constant *constant = oq_graph_constant(graph, node->inputs[input]);
    if (!constant || oq_shape_count(&constant->shape) > (int64_t)limit ||
        oq_constant_load(graph->model->mem, constant, &tensor, &ignored) != ONNXQ_OK)
        return false;
    *count = (size_t)oq_tensor_count(&tensor);
    for (size_t i = 0; i < *count; i++) into[i] = oq_tensor_get_i64(&tensor, (int64_t)i);
    oq_tensor_release(&tensor);
    return true;
}

static bool pads_with_zero(oq_graph *graph, const oq_node *node) {
    if (strcmp(oq_node_string(node, "mode", "constant"), "constant") != 0) return false;
    if (oq_node_float(node, "value", 0) != 0.0f) return false; // until opset 10
    if (node->input_count < 3 || node->inputs[2] == OQ_NONE) return true;
    const oq_constant *constant = oq_graph_constant(graph, node->inputs[2]);
    oq_tensor tensor = {0};
    oq_error ignored = {0};
    if (!constant || oq_shape_count(&constant->shape) != 1 ||
        oq_constant_load(graph->model->mem, constant, &tensor, &ignored) != ONNXQ_OK)
        return false;
    const bool zero = oq_tensor_get_f64(&tensor, 0) == 0;
    oq_tensor_release(&tensor);
    return zero;
}

// The pads of a node for a tensor of `rank`: none negative, none on batch or channels.
static bool read_padding(oq_graph *graph, const oq_node *node, int rank, padding *out) {
    int64_t pads[2 * OQ_MAX_RANK] = {0}, axes[OQ_MAX_RANK] = {0};
    size_t count, axis_count;
    *out = (padding){.rank = rank};
    const int64_t *attr = oq_node_ints(node, "pads", &count);
    if (attr && count <= 2 * OQ_MAX_RANK)
        memcpy(pads, attr, count * sizeof *pads);
    else if (!constant_ints(graph, node, 1, pads, 2 * OQ_MAX_RANK, &count))
        return false;
    if (!constant_ints(graph, node, 3, axes, OQ_MAX_RANK, &axis_count)) {
        if (node->input_count > 3 && node->inputs[3] != OQ_NONE) return false;
        axis_count = (size_t)rank;
        for (int i = 0; i < rank; i++) axes[i] = i;
    }
    if (count != 2 * axis_count) return false;
    for (size_t i = 0; i < axis_count; i++) {
        int axis;
        if (!oq_axis_normalize(axes[i], rank, &axis)) return false;
        out->begin[axis] += pads[i];
        out->end[axis] += pads[i + axis_count];
    }
    for (int i = 0; i < rank; i++)
        if (out->begin[i] < 0 || out->end[i] < 0 || (i < 2 && (out->begin[i] || out->end[i]))) return false;
    return true;
}

// The convolution's pads with those of `extra` added; an automatic padding depends on the padded size, so it
// stays.
static oq_status take_over(oq_graph *graph, oq_node *conv, const oq_node *pad, const padding *extra,
                           oq_error *err) {
    const char *automatic = oq_node_string(conv, "auto_pad", "NOTSET");
    const int spatial = extra->rank - 2;
    int64_t pads[2 * OQ_MAX_RANK] = {0};
    size_t count;
    const int64_t *own = oq_node_ints(conv, "pads", &count);
    if (strcmp(automatic, "VALID") == 0) own = NULL;
    if (strncmp(automatic, "SAME", 4) == 0 || (own && count != 2 * (size_t)spatial)) return ONNXQ_OK;
    for (int i = 0; i < spatial; i++) {
        pads[i] = (own ? own[i] : 0) + extra->begin[i + 2];
        pads[i + spatial] = (own ? own[i + spatial] : 0) + extra->end[i + 2];
    }
    oq_node_remove_attr(conv, "auto_pad");
    OQ_TRY(oq_node_set_ints(graph, conv, "pads", pads, 2 * (size_t)spatial, err));
    return oq_node_set_input(graph, conv, 0, pad->inputs[0], err);
}

oq_status oq_pass_fold_pads(oq_graph *graph, oq_error *err) {
    for (size_t i = 0; i < graph->node_count; i++) {
        oq_node *conv = graph->nodes[i];
        if (conv->dead || !oq_node_is(conv, "Conv") || conv->input_count < 2) continue;
        const oq_node *pad = oq_graph_producer_is(graph, conv->inputs[0], "Pad");
        const oq_constant *weight =
            conv->inputs[1] == OQ_NONE ? NULL : oq_graph_constant(graph, conv->inputs[1]);
        padding extra;
        if (pad && weight && weight->shape.rank > 2 && pads_with_zero(graph, pad) &&
            read_padding(graph, pad, weight->shape.rank, &extra))
            OQ_TRY(take_over(graph, conv, pad, &extra, err));
    }
    return ONNXQ_OK;
}
