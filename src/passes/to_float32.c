// A graph of another float type as one of float32: quantization, and the kernels of runtimes, are best at
// that. Inputs and outputs of the model keep their types, behind a Cast each.
#include "passes/passes.h"

#include <string.h>

static bool is_other_float(oq_dtype dtype) {
    return dtype == ONNXQ_FLOAT16 || dtype == ONNXQ_BFLOAT16 || dtype == ONNXQ_DOUBLE;
}

oq_dtype oq_pass_product_type(oq_graph *graph) {
    static const char *const products[] = {"Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN"};
    for (size_t n = 0; n < graph->node_count; n++) {
        const oq_node *node = graph->nodes[n];
        for (size_t i = 0; !node->dead && i < sizeof products / sizeof *products; i++) {
            if (!oq_node_is(node, products[i]) || !node->input_count || node->inputs[0] == OQ_NONE) continue;
            const oq_dtype dtype = oq_graph_value(graph, node->inputs[0])->type.dtype;
            if (is_other_float(dtype)) return dtype;
        }
    }
    return ONNXQ_FLOAT;
}

// --- constants ---

static oq_status converted(oq_model *model, const oq_constant *constant, oq_tensor *out, oq_error *err) {
    oq_tensor from;
    OQ_TRY(oq_constant_load(model->mem, constant, &from, err));
    const oq_status status = oq_tensor_new(model->mem, ONNXQ_FLOAT, &from.shape, out, err);
    if (status == ONNXQ_OK) oq_load_f32(from.dtype, from.data, out->data, (size_t)oq_tensor_count(&from));
    oq_tensor_release(&from);
    return status;
}

static oq_status convert_initializers(oq_graph *graph, oq_dtype from, oq_error *err) {
    const size_t count = graph->value_count;
    for (size_t v = 0; v < count; v++) {
        const oq_gvalue *value = graph->values[v];
        oq_value_id made;
        oq_tensor tensor;
        if (value->dead || !value->initializer || value->is_input || value->is_output ||
            value->initializer->dtype != from)
            continue;
        OQ_TRY(converted(graph->model, value->initializer, &tensor, err));
        OQ_TRY(oq_graph_add_initializer(graph, value->name, tensor, &made, err));
        OQ_TRY(oq_graph_replace_uses(graph, (oq_value_id)v, made, false, err));
    }
    return ONNXQ_OK;
}

// --- nodes ---

// Attributes that name a type, and constants in attributes.
static oq_status convert_attribute(oq_graph *graph, oq_node *node, const oq_attr *attr, oq_dtype from,
                                   oq_error *err) {
    static const char *const types[] = {"to", "dtype", "output_dtype", "output_datatype",
                                        "softmax_precision"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (attr->kind == OQ_ATTR_INT && attr->i == (int64_t)from && strcmp(attr->name, types[i]) == 0)
            return oq_node_set_int(graph, node, attr->name, ONNXQ_FLOAT, err);
    oq_tensor tensor;
    if (attr->kind != OQ_ATTR_TENSOR || attr->tensor->dtype != from) return ONNXQ_OK;
    OQ_TRY(converted(graph->model, attr->tensor, &tensor, err));
    return oq_node_set_tensor(graph, node, attr->name, tensor, err);
}

static oq_status convert_graph(oq_graph *graph, oq_dtype from, oq_error *err);

static oq_status convert_node(oq_graph *graph, oq_node *node, oq_dtype from, oq_error *err) {
    for (size_t a = 0; a < node->attr_count; a++) {
        const oq_attr *attr = &node->attrs[a];
        if (attr->kind == OQ_ATTR_GRAPH) OQ_TRY(convert_graph(attr->graph, from, err));
        for (size_t g = 0; attr->kind == OQ_ATTR_GRAPHS && g < attr->count; g++)
            OQ_TRY(convert_graph(attr->graphs[g], from, err));
        OQ_TRY(convert_attribute(graph, node, attr, from, err));
    }
    return ONNXQ_OK;
}

static oq_status convert_graph(oq_graph *graph, oq_dtype from, oq_error *err) {
    for (size_t v = 0; v < graph->value_count; v++) {
        oq_gvalue *value = graph->values[v];
        const bool outside = !graph->parent && (value->is_input || value->is_output);
        if (value->dead || value->initializer || value->type.dtype != from || outside) continue;
        value->type.dtype = ONNXQ_FLOAT;
        oq_graph_touch_value(graph, (oq_value_id)v);
    }
    const size_t count = graph->node_count;
    for (size_t n = 0; n < count; n++)
        if (!graph->nodes[n]->dead) OQ_TRY(convert_node(graph, graph->nodes[n], from, err));
    return convert_initializers(graph, from, err);
}

// --- the model's inputs and outputs ---

static oq_status new_like(oq_graph *graph, oq_value_id like, oq_value_id *out, oq_error *err) {
    const char *name =
        oq_arena_printf(&graph->model->arena, err, "%s_float32", oq_graph_value(graph, like)->name);
    if (!name) return ONNXQ_NO_MEMORY;
    OQ_TRY(oq_graph_unique_name(graph, name, &name, err));
    OQ_TRY(oq_graph_add_value(graph, name, out, err));
    oq_graph_value(graph, *out)->type = oq_graph_value(graph, like)->type;
    oq_graph_value(graph, *out)->type.dtype = ONNXQ_FLOAT;
    return ONNXQ_OK;
}

static oq_status cast(oq_graph *graph, oq_value_id from, oq_value_id to, oq_dtype dtype, oq_error *err) {
    oq_node *node;
    OQ_TRY(oq_graph_add_node(graph, "", "Cast", "", &from, 1, &to, 1, &node, err));
    return oq_node_set_int(graph, node, "to", dtype, err);
}

static oq_status cast_inputs(oq_graph *graph, oq_dtype from, oq_error *err) {
    for (size_t i = 0; i < graph->input_count; i++) {
        const oq_value_id input = graph->inputs[i];
        oq_value_id inner;
        if (oq_graph_value(graph, input)->type.dtype != from) continue;
        OQ_TRY(new_like(graph, input, &inner, err));
        OQ_TRY(oq_graph_replace_uses(graph, input, inner, false, err));
        OQ_TRY(cast(graph, input, inner, ONNXQ_FLOAT, err));
    }
    return ONNXQ_OK;
}

static oq_status cast_outputs(oq_graph *graph, oq_dtype from, oq_error *err) {
    for (size_t i = 0; i < graph->output_count; i++) {
        const oq_value_id output = graph->outputs[i];
        const oq_gvalue *value = oq_graph_value(graph, output);
        oq_value_id inner;
        if (value->type.dtype != from || value->producer == OQ_NONE) continue;
        oq_node *producer = oq_graph_node(graph, value->producer);
        const size_t index = (size_t)value->output;
        OQ_TRY(new_like(graph, output, &inner, err));
        OQ_TRY(oq_node_set_output(graph, producer, index, inner, err));
        OQ_TRY(oq_graph_replace_uses(graph, output, inner, false, err));
        OQ_TRY(cast(graph, inner, output, from, err));
    }
    return ONNXQ_OK;
}

// Sequences, optionals and functions hold types of their own.
static bool is_plain(const oq_graph *graph) {
    for (size_t v = 0; v < graph->value_count; v++) {
        const oq_type_kind kind = graph->values[v]->type.kind;
        if (!graph->values[v]->dead && kind != OQ_TYPE_TENSOR && kind != OQ_TYPE_UNKNOWN) return false;
    }
    return graph->model->function_count == 0;
}

oq_status oq_pass_to_float32(oq_graph *graph, oq_dtype from, bool *changed, oq_error *err) {
    *changed = is_other_float(from) && is_plain(graph);
    if (!*changed) return ONNXQ_OK;
    // Their own Casts come last, so that nothing above turns them around.
    OQ_TRY(convert_graph(graph, from, err));
    OQ_TRY(cast_inputs(graph, from, err));
    OQ_TRY(cast_outputs(graph, from, err));
    OQ_TRY(oq_graph_sweep(graph, true, err));
    return oq_infer_graph(graph, err);
}
