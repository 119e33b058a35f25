// Mul, Add, Sub and Div by constants per channel, from behind nodes that only change a product's shape to
// before them: there they fold into the product.
#include "passes/passes.h"

// One node that changes the shape, what calculates behind it, and where its channels lie.
typedef struct place {
    oq_graph *graph;
    oq_node *shape, *next;
    size_t constant; // the input of `next` that is one
    int axis;        // of the channels in front of `shape`, or -1: one number for all
    int rank;        // in front of `shape`
    int64_t channels;
} place;

static const oq_type *type_of(const oq_graph *graph, oq_value_id id) {
    return &oq_graph_value(graph, id)->type;
}

static bool changes_shape(const oq_node *node) {
    static const char *const ops[] = {"Squeeze", "Unsqueeze", "Reshape", "Flatten"};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (oq_node_is(node, ops[i])) return node->output_count == 1;
    return false;
}

static bool calculates(const oq_node *node) {
    return (oq_node_is(node, "Mul") || oq_node_is(node, "Add") || oq_node_is(node, "Sub") ||
            oq_node_is(node, "Div")) &&
           node->input_count == 2;
}

// Elements behind one step of an axis; 0 when not known.
static int64_t inner_of(const oq_type *type, int axis) {
    int64_t count = 1;
    for (int d = axis + 1; d < type->rank; d++) count *= oq_dim_known(type->dim[d]) ? type->dim[d].size : 0;
    return count;
}

// The axis of `to` that holds, in row-major order, what `axis` of `from` holds; -1: none for certain.
static int same_axis(const oq_type *from, int axis, const oq_type *to) {
    const int64_t inner = inner_of(from, axis);
    for (int d = to->rank; inner && d-- > 0;)
        if (oq_dim_known(to->dim[d]) && to->dim[d].size == from->dim[axis].size && inner_of(to, d) == inner)
            return d;
    return -1;
}

// The axis along which a constant has more than one number, from the end: 1 is the last; 0: one number in
// all, -1: several axes.
static int long_axis(const oq_shape *shape) {
    int axis = 0;
    for (int d = 0; d < shape->rank; d++)
        if (shape->dim[d] != 1) axis = axis ? -1 : shape->rank - d;
    return axis;
}

// Whether a product made the value, behind nothing but changes of shape, and constants lifted before, that
// nobody else reads.
static bool comes_from_product(oq_graph *graph, oq_value_id id) {
    while (oq_graph_only_consumer(graph, id) && oq_graph_value(graph, id)->producer != OQ_NONE) {
        const oq_node *node = oq_graph_node(graph, oq_graph_value(graph, id)->producer);
        if (oq_node_is(node, "Conv") || oq_node_is(node, "ConvTranspose") || oq_node_is(node, "Gemm") ||
            oq_node_is(node, "MatMul"))
            return true;
        if (!changes_shape(node) && !calculates(node)) return false;
        id = node->inputs[calculates(node) && oq_graph_constant(graph, node->inputs[0])];
    }
    return false;
}

static bool find(oq_graph *graph, oq_node *node, place *p) {
    if (node->dead || !changes_shape(node) || node->inputs[0] == OQ_NONE) return false;
    *p = (place){.graph = graph, .shape = node, .axis = -1};
    p->next = oq_graph_only_consumer(graph, node->outputs[0]);
    if (!p->next || !calculates(p->next) || p->next->inputs[0] == p->next->inputs[1]) return false;
    p->constant = p->next->inputs[0] == node->outputs[0];
    const oq_constant *constant = oq_graph_constant(graph, p->next->inputs[p->constant]);
    const oq_type *from = type_of(graph, node->inputs[0]), *to = type_of(graph, node->outputs[0]);
    if (!constant || from->kind != OQ_TYPE_TENSOR || to->kind != OQ_TYPE_TENSOR || from->rank < 0 ||
        to->rank < 0 || constant->shape.rank > to->rank || oq_shape_count(&constant->shape) < 1)
        return false;
    const int end = long_axis(&constant->shape);
    if (end < 0 || !comes_from_product(graph, node->inputs[0])) return false;
    p->rank = from->rank;
    if (!end) return true;
    const int axis = to->rank - end;
    p->channels = constant->shape.dim[constant->shape.rank - end];
    if (!oq_dim_known(to->dim[axis]) || to->dim[axis].size != p->channels) return false;
    p->axis = same_axis(to, axis, from);
    return p->axis >= 0;
}

// The constant with its numbers along the axis in front of the change of shape.
static oq_status lifted_constant(const place *p, oq_value_id *out, oq_error *err) {
    oq_mem *mem = p->graph->model->mem;
    const oq_value_id id = p->next->inputs[p->constant];
    oq_tensor tensor = {0};
    OQ_TRY(oq_constant_load(mem, oq_graph_constant(p->graph, id), &tensor, err));
    tensor.shape = (oq_shape){.rank = 0};
    if (p->axis >= 0) {
        tensor.shape.rank = p->rank - p->axis;
        for (int d = 0; d < tensor.shape.rank; d++) tensor.shape.dim[d] = d ? 1 : p->channels;
    }
    return oq_graph_add_initializer(p->graph, oq_graph_value(p->graph, id)->name, tensor, out, err);
}

static oq_status lift(const place *p, oq_error *err) {
    oq_graph *graph = p->graph;
    const oq_value_id source = p->shape->inputs[0], result = p->next->outputs[0];
    oq_value_id constant, moved;
    const char *name =
        oq_arena_printf(&graph->model->arena, err, "%s_lifted", oq_graph_value(graph, result)->name);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_unique_name(graph, name, &name, err));
    OQ_TRY(lifted_constant(p, &constant, err));
    OQ_TRY(oq_graph_add_value(graph, name, &moved, err));
    oq_graph_value(graph, moved)->type = *type_of(graph, source);
    OQ_TRY(oq_node_set_input(graph, p->next, p->constant, constant, err));
    OQ_TRY(oq_node_set_input(graph, p->next, 1 - p->constant, source, err));
    OQ_TRY(oq_node_set_output(graph, p->next, 0, moved, err));
    OQ_TRY(oq_node_set_input(graph, p->shape, 0, moved, err));
    return oq_node_set_output(graph, p->shape, 0, result, err);
}

oq_status oq_pass_lift_constants(oq_graph *graph, oq_error *err) {
    bool any = false;
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t i = 0; i < graph->node_count; i++) {
            place p;
            if (!find(graph, graph->nodes[i], &p)) continue;
            OQ_TRY(lift(&p, err));
            any = changed = true;
        }
    }
    return any ? oq_graph_sweep(graph, false, err) : ONNXQ_OK;
}
