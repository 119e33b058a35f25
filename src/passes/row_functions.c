// Functions of looked up rows, element by element, are computed once for all rows of the table:
//
//     f(Gather(T, ids))        Gather(f(T), ids)
//
// f is a chain or net of nodes that read the rows and constants alone and of which one value is read outside
// of it. Its nodes are written anew on the table, where constant folding computes them.
#include "passes/passes.h"

#include <string.h>

// Beyond it constant folding leaves the nodes, which would then compute the whole table in every run.
#define MOST_BYTES (INT64_C(16) << 20)

typedef struct net {
    oq_graph *graph;
    const oq_node *gather;
    int64_t columns;
    oq_value_id *on_table; // [value_count] the value of the table's net that a value of the rows' has, or
                           // OQ_NONE; the rows' own is the table
    size_t values;
    const oq_node_id *order;
    size_t order_count;
} net;

static bool is_elementwise(const oq_node *node) {
    static const char *const known[] = {
        "Add", "Sub", "Mul",  "Div", "Pow",  "Min",  "Max",        "Neg",     "Abs",         "Sqrt",
        "Exp", "Log", "Tanh", "Erf", "Relu", "Gelu", "Reciprocal", "Sigmoid", "HardSigmoid", "HardSwish"};
    if (node->dead || node->domain[0] || node->input_count > 2 || node->output_count != 1 ||
        node->outputs[0] == OQ_NONE)
        return false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(node->op_type, known[i]) == 0) return true;
    return false;
}

// One number, or one for each column.
static bool fits_rows(const net *n, oq_value_id value) {
    const oq_constant *constant = oq_graph_constant(n->graph, value);
    if (!constant || constant->dtype != ONNXQ_FLOAT) return false;
    const int rank = constant->shape.rank;
    const int64_t count = oq_shape_count(&constant->shape);
    const int most = oq_graph_value(n->graph, n->gather->outputs[0])->type.rank;
    return rank <= most &&
           (count == 1 || (rank > 0 && count == n->columns && constant->shape.dim[rank - 1] == n->columns));
}

static bool is_in(const net *n, oq_value_id value) {
    return value != OQ_NONE && (size_t)value < n->values && n->on_table[value] != OQ_NONE;
}

static bool joins(const net *n, const oq_node *node) {
    bool any = false;
    if (!is_elementwise(node)) return false;
    for (size_t i = 0; i < node->input_count; i++) {
        if (node->inputs[i] == OQ_NONE) return false;
        if (is_in(n, node->inputs[i]))
            any = true;
        else if (!fits_rows(n, node->inputs[i]))
            return false;
    }
    return any;
}

// The one value of the net that is read outside of it, or OQ_NONE.
static oq_value_id find_end(const net *n) {
    oq_value_id end = OQ_NONE;
    for (size_t v = 0; v < n->values; v++) {
        const oq_gvalue *value = oq_graph_value(n->graph, (oq_value_id)v);
        bool outside = value->is_output;
        if (n->on_table[v] == OQ_NONE) continue;
        for (size_t u = 0; u < value->use_count; u++) {
            const oq_node *reader = oq_graph_node(n->graph, value->uses[u].node);
            outside |= reader->output_count != 1 || !is_in(n, reader->outputs[0]);
        }
        if (!outside) continue;
        if (end != OQ_NONE) return OQ_NONE;
        end = (oq_value_id)v;
    }
    return end;
}

// --- writing ---

// A constant as a number or as a row.
static oq_status flatten(const net *n, oq_value_id value, oq_value_id *out, oq_error *err) {
    const oq_constant *constant = oq_graph_constant(n->graph, value);
    oq_tensor tensor = {0};
    *out = value;
    if (constant->shape.rank <= 1) return ONNXQ_OK;
    OQ_TRY(oq_constant_load(n->graph->model->mem, constant, &tensor, err));
    tensor.shape = OQ_SHAPE(oq_tensor_count(&tensor));
    return oq_graph_add_initializer(n->graph, oq_graph_value(n->graph, value)->name, tensor, out, err);
}

static oq_status write_node(net *n, const oq_node *node, oq_error *err) {
    oq_graph *graph = n->graph;
    oq_value_id in[2], out;
    oq_node *made;
    for (size_t i = 0; i < node->input_count; i++) {
        in[i] = OQ_NONE;
        if (is_in(n, node->inputs[i]))
            in[i] = n->on_table[node->inputs[i]];
        else
            OQ_TRY(flatten(n, node->inputs[i], &in[i], err));
    }
    const char *name =
        oq_arena_printf(&graph->model->arena, err, "%s_rows", oq_graph_value(graph, node->outputs[0])->name);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_unique_name(graph, name, &name, err));
    OQ_TRY(oq_graph_add_value(graph, name, &out, err));
    oq_graph_value(graph, out)->type = oq_graph_value(graph, n->gather->inputs[0])->type;
    OQ_TRY(oq_graph_add_node(graph, "", node->op_type, "", in, node->input_count, &out, 1, &made, err));
    made->attrs = node->attrs;
    made->attr_count = node->attr_count;
    n->on_table[node->outputs[0]] = out;
    return ONNXQ_OK;
}

static oq_status write(net *n, oq_value_id end, oq_error *err) {
    oq_graph *graph = n->graph;
    const oq_value_id ids = n->gather->inputs[1];
    oq_node *made;
    for (size_t i = 0; i < n->order_count; i++) {
        const oq_node *node = oq_graph_node(graph, n->order[i]);
        if (node != n->gather && node->output_count == 1 && is_in(n, node->outputs[0]))
            OQ_TRY(write_node(n, node, err));
    }
    oq_node *last = oq_graph_node(graph, oq_graph_value(graph, end)->producer);
    const char *name = last->name;
    oq_graph_remove_node(graph, last);
    return oq_graph_add_node(graph, name, "Gather", "", (oq_value_id[]){n->on_table[end], ids}, 2, &end, 1,
                             &made, err);
}

static oq_status try_gather(net *n, oq_node *node, bool *changed, oq_error *err) {
    const oq_constant *table = oq_graph_constant(n->graph, node->inputs[0]);
    *changed = false;
    // A table that others read, too, would be in the file twice.
    if (!table || oq_graph_value(n->graph, node->inputs[0])->use_count != 1 || table->dtype != ONNXQ_FLOAT ||
        table->shape.rank != 2 || oq_node_int(node, "axis", 0) != 0 ||
        oq_graph_value(n->graph, node->outputs[0])->type.kind != OQ_TYPE_TENSOR ||
        oq_shape_count(&table->shape) * (int64_t)sizeof(float) > MOST_BYTES)
        return ONNXQ_OK;
    n->gather = node;
    n->columns = table->shape.dim[1];
    for (size_t v = 0; v < n->values; v++) n->on_table[v] = OQ_NONE;
    n->on_table[node->outputs[0]] = node->inputs[0];
    for (size_t i = 0; i < n->order_count; i++) {
        const oq_node *next = oq_graph_node(n->graph, n->order[i]);
        if (joins(n, next)) n->on_table[next->outputs[0]] = node->inputs[0]; // for now: it is in
    }
    const oq_value_id end = find_end(n);
    *changed = end != OQ_NONE && end != node->outputs[0];
    return *changed ? write(n, end, err) : ONNXQ_OK;
}

oq_status oq_pass_functions_of_rows(oq_graph *graph, size_t *count, oq_error *err) {
    oq_mem *mem = graph->model->mem;
    oq_node_id *order = NULL;
    net n = {.graph = graph, .values = graph->value_count};
    *count = 0;
    OQ_TRY(oq_graph_order(graph, &order, &n.order_count, err));
    n.order = order;
    n.on_table = oq_mem_calloc(mem, n.values + 1, sizeof *n.on_table, err);
    oq_status status = n.on_table ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    for (size_t i = 0; status == ONNXQ_OK && i < n.order_count; i++) {
        oq_node *node = oq_graph_node(graph, order[i]);
        bool changed = false;
        if (!node->dead && oq_node_is(node, "Gather")) status = try_gather(&n, node, &changed, err);
        *count += changed;
    }
    oq_mem_free(mem, n.on_table);
    oq_mem_free(mem, order);
    return status;
}
