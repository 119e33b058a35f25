// Gemm with a constant matrix that it transposes reads it transposed instead: runtimes have kernels for
// integers behind DequantizeLinear in that order alone.
#include "passes/passes.h"

#include <string.h>

static oq_status transpose(oq_model *model, const oq_constant *constant, oq_tensor *out, oq_error *err) {
    oq_tensor from;
    const int64_t rows = constant->shape.dim[0], columns = constant->shape.dim[1];
    const oq_shape shape = OQ_SHAPE(columns, rows);
    OQ_TRY(oq_constant_load(model->mem, constant, &from, err));
    const oq_status status = oq_tensor_new(model->mem, ONNXQ_FLOAT, &shape, out, err);
    for (int64_t r = 0; status == ONNXQ_OK && r < rows; r++)
        for (int64_t c = 0; c < columns; c++)
            ((float *)out->data)[c * rows + r] = ((const float *)from.data)[r * columns + c];
    oq_tensor_release(&from);
    return status;
}

oq_status oq_pass_turn_weights(oq_graph *graph, oq_error *err) {
    const size_t count = graph->node_count;
    for (size_t n = 0; n < count; n++) {
        oq_node *node = graph->nodes[n];
        if (node->dead || !oq_node_is(node, "Gemm") || !oq_node_int(node, "transB", 0)) continue;
        const oq_gvalue *b = oq_graph_value(graph, node->inputs[1]);
        const oq_constant *constant = b->initializer;
        if (!constant || b->is_input || b->is_output || b->use_count != 1 || constant->dtype != ONNXQ_FLOAT ||
            constant->shape.rank != 2)
            continue;
        oq_tensor turned = {0};
        oq_value_id made;
        OQ_TRY(transpose(graph->model, constant, &turned, err));
        OQ_TRY(oq_graph_add_initializer(graph, b->name, turned, &made, err));
        OQ_TRY(oq_node_set_input(graph, node, 1, made, err));
        OQ_TRY(oq_node_set_int(graph, node, "transB", 0, err));
    }
    OQ_TRY(oq_graph_sweep(graph, false, err));
    return oq_infer_graph(graph, err);
}
