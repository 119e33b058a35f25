// Nodes that do nothing at inference are taken out: Identity, Dropout, and Cast, Reshape, Transpose, Pad,
// Slice, Concat that change nothing.
#include "passes/passes.h"

#include <string.h>

typedef struct no_op {
    const char *op_type;
    bool (*does_nothing)(oq_graph *graph, const oq_node *node);
} no_op;

static const oq_type *type_of(const oq_graph *graph, oq_value_id id) {
    return &oq_graph_value(graph, id)->type;
}

static bool always(oq_graph *graph, const oq_node *node) {
    (void)graph, (void)node;
    return true;
}

// Whether a constant input holds zeros only (bool: false).
static bool is_zero(oq_graph *graph, const oq_node *node, size_t index) {
    const oq_constant *constant = oq_graph_constant(graph, node->inputs[index]);
    oq_tensor tensor;
    if (!constant || oq_constant_load(graph->model->mem, constant, &tensor, NULL) != ONNXQ_OK) return false;
    bool zero = tensor.dtype != ONNXQ_STRING;
    for (int64_t i = 0; zero && i < oq_tensor_count(&tensor); i++) zero = oq_tensor_get_f64(&tensor, i) == 0;
    oq_tensor_release(&tensor);
    return zero;
}

// Equal shapes do not suffice: a negative pad at one end and a positive one at the other shift the values.
static bool pad(oq_graph *graph, const oq_node *node) {
    size_t count;
    const int64_t *pads = oq_node_ints(node, "pads", &count);
    if (!count) return node->input_count > 1 && node->inputs[1] != OQ_NONE && is_zero(graph, node, 1);
    for (size_t i = 0; i < count; i++)
        if (pads[i]) return false;
    return true;
}

// The mask must be unread and training mode not asked for.
static bool dropout(oq_graph *graph, const oq_node *node) {
    const bool mask = node->output_count > 1 && node->outputs[1] != OQ_NONE;
    if (mask && (oq_graph_value(graph, node->outputs[1])->use_count ||
                 oq_graph_value(graph, node->outputs[1])->is_output))
        return false;
    return node->input_count < 3 || node->inputs[2] == OQ_NONE || is_zero(graph, node, 2);
}

static bool same_dtype(oq_graph *graph, const oq_node *node) {
    const oq_type *in = type_of(graph, node->inputs[0]), *out = type_of(graph, node->outputs[0]);
    return in->dtype != ONNXQ_UNDEFINED && in->dtype == out->dtype;
}

// Every dimension provably the same.
static bool same_shape(oq_graph *graph, const oq_node *node) {
    const oq_type *in = type_of(graph, node->inputs[0]), *out = type_of(graph, node->outputs[0]);
    if (in->kind != OQ_TYPE_TENSOR || in->rank < 0 || in->rank != out->rank) return false;
    for (int d = 0; d < in->rank; d++)
        if (!oq_dim_same(in->dim[d], out->dim[d])) return false;
    return true;
}

static bool identity_permutation(oq_graph *graph, const oq_node *node) {
    (void)graph;
    size_t count;
    const int64_t *perm = oq_node_ints(node, "perm", &count);
    for (size_t i = 0; i < count; i++)
        if (perm[i] != (int64_t)i) return false;
    return count > 0;
}

// The k-th number of a constant list, `otherwise` when the list is left out; false when it is not known.
static bool number_of(oq_graph *graph, const oq_node *node, size_t input, int64_t k, int64_t otherwise,
                      int64_t *out) {
    *out = otherwise;
    if (input >= node->input_count || node->inputs[input] == OQ_NONE) return true;
    const oq_constant *constant = oq_graph_constant(graph, node->inputs[input]);
    oq_tensor tensor;
    if (!constant || k >= oq_shape_count(&constant->shape) ||
        oq_constant_load(graph->model->mem, constant, &tensor, NULL) != ONNXQ_OK)
        return false;
    oq_load_i64(tensor.dtype, (const uint8_t *)tensor.data + (size_t)k * oq_dtype_bytes(tensor.dtype), out,
                1);
    oq_tensor_release(&tensor);
    return true;
}

// From the first element to the last, or to beyond what any axis of unknown size can have; bounds that are
// attributes (before opset 10) are left.
static bool whole_slice(oq_graph *graph, const oq_node *node) {
    const oq_type *type = type_of(graph, node->inputs[0]);
    if (type->kind != OQ_TYPE_TENSOR || type->rank < 0 || node->input_count < 3) return false;
    const oq_constant *starts = oq_graph_constant(graph, node->inputs[1]);
    const int64_t count = starts ? oq_shape_count(&starts->shape) : -1;
    for (int64_t k = 0; k < count; k++) {
        int64_t start, end, axis, step;
        if (!number_of(graph, node, 1, k, 0, &start) || !number_of(graph, node, 2, k, 0, &end) ||
            !number_of(graph, node, 3, k, k, &axis) || !number_of(graph, node, 4, k, 1, &step))
            return false;
        if (axis < 0) axis += type->rank;
        if (axis < 0 || axis >= type->rank || start != 0 || step != 1) return false;
        const oq_dim dim = type->dim[axis];
        if (end < (oq_dim_known(dim) ? dim.size : INT32_MAX)) return false;
    }
    return count >= 0;
}

static bool single_input(oq_graph *graph, const oq_node *node) {
    (void)graph;
    return node->input_count == 1;
}

static const no_op no_ops[] = {{"Identity", always},
                               {"Dropout", dropout},
                               {"Cast", same_dtype},
                               {"Reshape", same_shape},
                               {"Expand", same_shape},
                               {"Flatten", same_shape},
                               {"Transpose", identity_permutation},
                               {"Slice", whole_slice},
                               {"Concat", single_input},
                               {"Pad", pad}};

static bool does_nothing(oq_graph *graph, const oq_node *node) {
    if (!node->input_count || node->inputs[0] == OQ_NONE || !node->output_count ||
        node->outputs[0] == OQ_NONE)
        return false;
    for (size_t i = 0; i < sizeof no_ops / sizeof no_ops[0]; i++)
        if (oq_node_is(node, no_ops[i].op_type)) return no_ops[i].does_nothing(graph, node);
    return false;
}

// A graph output keeps its name: then the producer of the input takes the output's name over, when nothing
// else reads the input and it is made by a node. Otherwise the node stays.
static oq_status take_out(oq_graph *graph, oq_node *node, oq_error *err) {
    const oq_value_id in = node->inputs[0], out = node->outputs[0];
    if (!oq_graph_value(graph, out)->is_output) {
        oq_graph_remove_node(graph, node);
        return oq_graph_replace_uses(graph, out, in, false, err);
    }
    const oq_gvalue *source = oq_graph_value(graph, in);
    if (source->producer == OQ_NONE || source->is_output || source->use_count != 1) return ONNXQ_OK;
    oq_node *producer = oq_graph_node(graph, source->producer);
    const size_t index = (size_t)source->output;
    oq_graph_remove_node(graph, node);
    return oq_node_set_output(graph, producer, index, out, err);
}

oq_status oq_pass_remove_no_ops(oq_graph *graph, oq_error *err) {
    for (size_t i = 0; i < graph->node_count; i++)
        if (!graph->nodes[i]->dead && does_nothing(graph, graph->nodes[i]))
            OQ_TRY(take_out(graph, graph->nodes[i], err));
    return ONNXQ_OK;
}
