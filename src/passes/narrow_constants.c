// What stays float of a model of 16-bit floats takes 16 bits in the file: such numbers are as exact there,
// and runtimes compute the Cast behind them when they load the model.
#include "passes/passes.h"

#include <string.h>

enum { LEAST = 1024 }; // elements below which a node more costs what it saves

// Scales and zero points stay constants: runtimes look at them.
static bool is_parameter(const oq_graph *graph, const oq_gvalue *value) {
    for (size_t u = 0; u < value->use_count; u++) {
        const oq_node *node = oq_graph_node(graph, value->uses[u].node);
        if (strstr(node->op_type, "Quantize") || strstr(node->op_type, "QLinear")) return true;
    }
    return false;
}

// The constant in the other type; *exact is false where that would change a bit of it.
static oq_status narrowed(oq_model *model, const oq_constant *constant, oq_dtype to, oq_tensor *out,
                          bool *exact, oq_error *err) {
    oq_tensor from = {0}, back = {0};
    const size_t count = (size_t)oq_shape_count(&constant->shape);
    oq_status status;
    OQ_TRY_DONE(oq_constant_load(model->mem, constant, &from, err));
    OQ_TRY_DONE(oq_tensor_new(model->mem, to, &from.shape, out, err));
    OQ_TRY_DONE(oq_tensor_new(model->mem, ONNXQ_FLOAT, &from.shape, &back, err));
    oq_store_f32(to, from.data, out->data, count);
    oq_load_f32(to, out->data, back.data, count);
    *exact = !memcmp(from.data, back.data, count * sizeof(float));
done:
    oq_tensor_release(&from);
    oq_tensor_release(&back);
    if (status != ONNXQ_OK || !*exact) oq_tensor_release(out);
    return status;
}

static oq_status narrow(oq_graph *graph, oq_value_id id, oq_dtype to, oq_error *err) {
    const oq_gvalue *value = oq_graph_value(graph, id);
    const oq_constant *constant = value->initializer;
    const char *name = value->name;
    bool exact = false;
    oq_tensor tensor = {0};
    oq_value_id stored, made;
    oq_node *node;
    OQ_TRY(narrowed(graph->model, constant, to, &tensor, &exact, err));
    if (!exact) return ONNXQ_OK;
    OQ_TRY(oq_graph_add_initializer(graph, name, tensor, &stored, err));
    name = oq_arena_printf(&graph->model->arena, err, "%s_float32", name);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_unique_name(graph, name, &name, err));
    OQ_TRY(oq_graph_add_value(graph, name, &made, err));
    oq_dim dims[OQ_MAX_RANK];
    for (int d = 0; d < constant->shape.rank; d++) dims[d] = oq_dim_of(constant->shape.dim[d]);
    oq_graph_value(graph, made)->type = oq_type_tensor(ONNXQ_FLOAT, constant->shape.rank, dims);
    OQ_TRY(oq_graph_replace_uses(graph, id, made, false, err));
    OQ_TRY(oq_graph_add_node(graph, "", "Cast", "", &stored, 1, &made, 1, &node, err));
    return oq_node_set_int(graph, node, "to", ONNXQ_FLOAT, err);
}

oq_status oq_pass_narrow_constants(oq_graph *graph, oq_dtype to, oq_error *err) {
    const size_t count = graph->value_count;
    if (to != ONNXQ_FLOAT16 && to != ONNXQ_BFLOAT16) return ONNXQ_OK;
    for (size_t v = 0; v < count; v++) {
        const oq_gvalue *value = graph->values[v];
        if (value->dead || !value->initializer || !value->use_count || value->is_input || value->is_output ||
            value->initializer->dtype != ONNXQ_FLOAT || oq_shape_count(&value->initializer->shape) < LEAST ||
            is_parameter(graph, value))
            continue;
        OQ_TRY(narrow(graph, (oq_value_id)v, to, err));
    }
    OQ_TRY(oq_graph_sweep(graph, true, err));
    OQ_TRY(oq_infer_graph(graph, err));
    return oq_check_graph(graph, false, err);
}
