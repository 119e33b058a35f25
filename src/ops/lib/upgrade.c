// Helpers for rewriting a node to the next version of its operator.
#include "ops/lib/upgrade.h"

#include <stdio.h>
#include <string.h>

oq_status oq_upgrade_add(oq_upgrade_context *context, const char *name, size_t index, oq_dtype dtype,
                         const void *values, size_t count, bool scalar, oq_error *err) {
    oq_graph *graph = context->graph;
    oq_node *node = context->node;
    char base[256];
    const char *stem = node->output_count && node->outputs[0] != OQ_NONE
                           ? oq_graph_value(graph, node->outputs[0])->name
                           : node->op_type;
    snprintf(base, sizeof base, "%s_%s", stem, name);
    const oq_shape shape = scalar ? (oq_shape){0} : OQ_SHAPE((int64_t)count);
    oq_tensor tensor;
    OQ_TRY(oq_tensor_new(graph->model->mem, dtype, &shape, &tensor, err));
    if (count) memcpy(tensor.data, values, count * oq_dtype_bytes(dtype));
    oq_value_id id;
    OQ_TRY(oq_graph_add_initializer(graph, base, tensor, &id, err));
    return oq_node_set_input(graph, node, index, id, err);
}

oq_status oq_upgrade_ints(oq_upgrade_context *context, const char *name, size_t index, oq_error *err) {
    const oq_attr *attr = oq_node_attr(context->node, name);
    if (!attr) return ONNXQ_OK;
    if (attr->kind == OQ_ATTR_INT)
        OQ_TRY(oq_upgrade_add(context, name, index, ONNXQ_INT64, &attr->i, 1, false, err));
    else if (attr->kind == OQ_ATTR_INTS)
        OQ_TRY(oq_upgrade_add(context, name, index, ONNXQ_INT64, attr->ints, attr->count, false, err));
    else
        return oq_fail(err, ONNXQ_BAD_MODEL, "attribute '%s' of %s holds no integers", name,
                       context->node->op_type);
    oq_node_remove_attr(context->node, name);
    return ONNXQ_OK;
}

oq_status oq_upgrade_rename(oq_upgrade_context *context, const char *op_type, oq_error *err) {
    const char *name = oq_model_intern(context->graph->model, op_type, err);
    if (!name) return ONNXQ_NO_MEMORY;
    context->node->op_type = name;
    oq_graph_touch_node(context->graph, context->node);
    return ONNXQ_OK;
}
