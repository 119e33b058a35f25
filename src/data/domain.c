// How many values an integer input can have, as far as the graph tells: the rows of the table that it is
// looked up in, the codes that it is compared with.
#include "data/dataset.h"

enum { MOST_STEPS = 32 };

static const oq_constant *constant_of(const oq_graph *graph, oq_value_id id) {
    if (id == OQ_NONE) return NULL;
    const oq_gvalue *value = oq_graph_value(graph, id);
    if (value->initializer || value->producer == OQ_NONE) return value->initializer;
    const oq_node *node = oq_graph_node(graph, value->producer);
    const oq_attr *attr = oq_node_is(node, "Constant") ? oq_node_attr(node, "value") : NULL;
    return attr && attr->kind == OQ_ATTR_TENSOR ? attr->tensor : NULL;
}

// One more than the largest integer of a constant, or 0 when it is none or holds negative ones.
static int64_t codes(oq_mem *mem, const oq_constant *constant) {
    oq_tensor tensor;
    int64_t most = -1;
    if (!constant || !oq_dtype_info(constant->dtype)->is_integer ||
        oq_constant_load(mem, constant, &tensor, NULL) != ONNXQ_OK)
        return 0;
    for (int64_t i = 0; i < oq_tensor_count(&tensor); i++) {
        const int64_t code = oq_tensor_get_i64(&tensor, i);
        if (code < 0) most = INT32_MAX; // no plain codes
        if (code > most) most = code;
    }
    oq_tensor_release(&tensor);
    return most < INT32_MAX ? most + 1 : 0;
}

// What one reader tells, or 0; *goes_on when its output holds the same integers.
static int64_t told_by(oq_mem *mem, const oq_graph *graph, const oq_node *node, size_t input, bool *goes_on) {
    static const char *const moves[] = {"Cast",    "Identity", "Reshape",   "Unsqueeze", "Squeeze",
                                        "Flatten", "Expand",   "Transpose", "Slice"};
    *goes_on = false;
    for (size_t i = 0; input == 0 && i < sizeof moves / sizeof *moves; i++)
        *goes_on |= oq_node_is(node, moves[i]);
    if (*goes_on) return 0;
    if (oq_node_is(node, "Gather") && input == 1) {
        const oq_constant *table = constant_of(graph, node->inputs[0]);
        const int64_t axis = oq_node_int(node, "axis", 0);
        return table && axis >= 0 && axis < table->shape.rank ? table->shape.dim[axis] : 0;
    }
    if (oq_node_is(node, "OneHot") && input == 0) {
        const int64_t depth = codes(mem, constant_of(graph, node->inputs[1]));
        return depth ? depth - 1 : 0;
    }
    return oq_node_is(node, "Equal") ? codes(mem, constant_of(graph, node->inputs[1 - input])) : 0;
}

int64_t oq_domain_of(oq_mem *mem, const oq_graph *graph, oq_value_id input) {
    oq_value_id seen[MOST_STEPS] = {input};
    size_t count = 1;
    int64_t least = 0;
    for (size_t s = 0; s < count; s++) {
        const oq_gvalue *value = oq_graph_value(graph, seen[s]);
        for (size_t u = 0; u < value->use_count; u++) {
            const oq_node *node = oq_graph_node(graph, value->uses[u].node);
            bool goes_on = false;
            const int64_t told = (size_t)value->uses[u].input < node->input_count
                                     ? told_by(mem, graph, node, (size_t)value->uses[u].input, &goes_on)
                                     : 0;
            if (told > 1 && (!least || told < least)) least = told;
            if (goes_on && count < MOST_STEPS) seen[count++] = node->outputs[0];
        }
    }
    return least ? least : 2;
}
