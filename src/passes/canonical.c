// Functions written out in primitives, written anew in the one form that runtimes recognise and compute in
// one kernel.
#include "passes/passes.h"

// What the new nodes of one region are made with.
typedef struct writer {
    oq_graph *graph;
    oq_value_id x, y; // what the function is of, and its result
} writer;

static oq_status new_value(const writer *w, const char *suffix, oq_value_id *out, oq_error *err) {
    const char *name =
        oq_arena_printf(&w->graph->model->arena, err, "%s%s", oq_graph_value(w->graph, w->y)->name, suffix);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_unique_name(w->graph, name, &name, err));
    OQ_TRY(oq_graph_add_value(w->graph, name, out, err));
    oq_graph_value(w->graph, *out)->type = oq_graph_value(w->graph, w->x)->type;
    return ONNXQ_OK;
}

static oq_status new_scalar(const writer *w, const char *suffix, double number, oq_value_id *out,
                            oq_error *err) {
    const oq_shape scalar = {.rank = 0};
    oq_tensor tensor = {0};
    const char *name =
        oq_arena_printf(&w->graph->model->arena, err, "%s%s", oq_graph_value(w->graph, w->y)->name, suffix);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_tensor_new(w->graph->model->mem, oq_graph_value(w->graph, w->x)->type.dtype, &scalar, &tensor,
                         err));
    oq_store_f64(tensor.dtype, &number, tensor.data, 1);
    return oq_graph_add_initializer(w->graph, name, tensor, out, err);
}

// A node with one or two inputs (the second OQ_NONE) into `out`, a new value named by the suffix, or y itself
// without one.
static oq_status put(const writer *w, const char *op_type, oq_value_id first, oq_value_id second,
                     const char *suffix, oq_value_id *out, oq_node **node, oq_error *err) {
    oq_node *made;
    if (suffix)
        OQ_TRY(new_value(w, suffix, out, err));
    else
        *out = w->y;
    return oq_graph_add_node(w->graph, "", op_type, "", (oq_value_id[]){first, second},
                             second == OQ_NONE ? 1 : 2, out, 1, node ? node : &made, err);
}

// y = (x / 2) (1 + tanh(x sqrt(2 / pi) (1 + .044715 x^2))) (Hendrycks and Gimpel 2016), without a power.
static oq_status write_gelu(const writer *w, oq_error *err) {
    oq_value_id cubic, root, one, half, a, b, c, d, e, f, g, h, out;
    OQ_TRY(new_scalar(w, "_cubic", .044715, &cubic, err));
    OQ_TRY(new_scalar(w, "_root", .7978845608028654, &root, err));
    OQ_TRY(new_scalar(w, "_one", 1, &one, err));
    OQ_TRY(new_scalar(w, "_half", .5, &half, err));
    OQ_TRY(put(w, "Mul", w->x, cubic, "_scaled", &a, NULL, err));
    OQ_TRY(put(w, "Mul", a, w->x, "_square", &b, NULL, err));
    OQ_TRY(put(w, "Add", b, one, "_bracket", &c, NULL, err));
    OQ_TRY(put(w, "Mul", w->x, root, "_outer", &d, NULL, err));
    OQ_TRY(put(w, "Mul", d, c, "_argument", &e, NULL, err));
    OQ_TRY(put(w, "Tanh", e, OQ_NONE, "_tanh", &f, NULL, err));
    OQ_TRY(put(w, "Add", f, one, "_gate", &g, NULL, err));
    OQ_TRY(put(w, "Mul", w->x, half, "_halved", &h, NULL, err));
    return put(w, "Mul", h, g, NULL, &out, NULL, err);
}

// y = x HardSigmoid(x), with the slope 1/6 (Howard et al. 2019).
static oq_status write_hard_swish(const writer *w, oq_error *err) {
    oq_value_id gate, out;
    oq_node *node;
    OQ_TRY(put(w, "HardSigmoid", w->x, OQ_NONE, "_gate", &gate, &node, err));
    OQ_TRY(oq_node_set_float(w->graph, node, "alpha", 1.0f / 6, err));
    OQ_TRY(oq_node_set_float(w->graph, node, "beta", .5f, err));
    return put(w, "Mul", w->x, gate, NULL, &out, NULL, err);
}

// The forms; kinds without one stay as they are.
static oq_status (*const forms[])(const writer *w, oq_error *err) = {
    [OQ_REGION_GELU_TANH] = write_gelu, [OQ_REGION_HARD_SWISH] = write_hard_swish};

// The shape of x is that of y only where no operand widened it: known types tell.
static bool is_elementwise(const oq_graph *graph, const oq_region *region) {
    const oq_type *x = &oq_graph_value(graph, region->input)->type,
                  *y = &oq_graph_value(graph, region->output)->type;
    return x->kind == OQ_TYPE_TENSOR && y->kind == OQ_TYPE_TENSOR && x->dtype == ONNXQ_FLOAT &&
           x->rank >= 0 && x->rank == y->rank;
}

oq_status oq_pass_write_canonical(oq_graph *graph, const oq_regions *regions, oq_error *err) {
    for (size_t i = 0; i < regions->count; i++) {
        const oq_region *region = &regions->items[i];
        if ((size_t)region->kind >= sizeof forms / sizeof *forms || !forms[region->kind] ||
            !is_elementwise(graph, region))
            continue;
        const oq_node_id producer = oq_graph_value(graph, region->output)->producer;
        oq_graph_remove_node(graph, oq_graph_node(graph, producer));
        OQ_TRY(forms[region->kind](&(writer){graph, region->input, region->output}, err));
    }
    return oq_graph_sweep(graph, true, err);
}
