// What operators with bodies share.
#include "ops/lib/body.h"

#include "ops/lib/concat.h"

oq_status oq_body_of(const oq_node *node, const char *name, oq_graph **out, oq_error *err) {
    const oq_attr *attr = oq_node_attr(node, name);
    *out = attr && attr->kind == OQ_ATTR_GRAPH ? attr->graph : NULL;
    if (*out) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL, "%s needs a graph as attribute '%s'", node->op_type, name);
}

oq_type oq_body_output_type(const oq_graph *body, size_t o) {
    return o < body->output_count ? oq_graph_value(body, body->outputs[o])->type : (oq_type){0};
}

oq_status oq_condition(const oq_run_context *context, const oq_value *value, bool *out, oq_error *err) {
    if (!value || value->kind != OQ_VALUE_TENSOR || value->tensor.dtype != ONNXQ_BOOL ||
        oq_tensor_count(&value->tensor) != 1)
        return oq_fail(err, ONNXQ_BAD_MODEL, "the condition of %s must be one boolean",
                       context->node->op_type);
    *out = *(const uint8_t *)value->tensor.data != 0;
    return ONNXQ_OK;
}

oq_status oq_values_new(oq_run_context *context, size_t count, oq_value **out, oq_error *err) {
    *out = oq_mem_calloc(context->mem, count + 1, sizeof **out, err);
    return *out ? ONNXQ_OK : ONNXQ_NO_MEMORY;
}

void oq_values_free(oq_run_context *context, oq_value *values, size_t count) {
    for (size_t i = 0; values && i < count; ++i) oq_value_release(&values[i]);
    oq_mem_free(context->mem, values);
}

oq_status oq_collect(oq_run_context *context, oq_collection *list, oq_value value, oq_error *err) {
    oq_status status = ONNXQ_OK;
    if (value.kind != OQ_VALUE_TENSOR)
        status =
            oq_fail(err, ONNXQ_BAD_MODEL, "%s collects something that is no tensor", context->node->op_type);
    void *items = list->items;
    if (status == ONNXQ_OK)
        status = oq_mem_reserve(context->mem, &items, list->count, &list->capacity, sizeof *list->items, err);
    list->items = items;
    if (status == ONNXQ_OK)
        list->items[list->count++] = value;
    else
        oq_value_release(&value);
    return status;
}

static oq_status empty_stack(oq_run_context *context, size_t out, int64_t axis, const oq_type *type,
                             oq_error *err) {
    oq_tensor tensor;
    int at = 0;
    oq_shape shape = {.rank = type->rank >= 0 && type->rank < OQ_MAX_RANK ? type->rank + 1 : 1};
    if (type->kind != OQ_TYPE_TENSOR || !type->dtype)
        return oq_fail(err, ONNXQ_UNSUPPORTED,
                       "%s collects nothing, and the type of its output %zu is not known",
                       context->node->op_type, out);
    if (!oq_axis_normalize(axis, shape.rank, &at)) at = 0;
    for (int d = 0, from = 0; d < shape.rank && type->rank >= 0; ++d) {
        if (d == at) continue;
        const oq_dim dim = type->dim[from++];
        shape.dim[d] = oq_dim_known(dim) ? dim.size : 0;
    }
    if (type->dtype == ONNXQ_STRING) {
        OQ_TRY(oq_tensor_new_strings(context->mem, &shape, NULL, NULL, &tensor, err));
    } else {
        OQ_TRY(oq_tensor_new(context->mem, type->dtype, &shape, &tensor, err));
    }
    oq_out_take(context, out, oq_value_of_tensor(tensor));
    return ONNXQ_OK;
}

oq_status oq_collection_stack(oq_run_context *context, size_t out, const oq_collection *list, int64_t axis,
                              bool reverse, const oq_type *type, oq_error *err) {
    if (!list->count) return empty_stack(context, out, axis, type, err);
    const oq_tensor **parts = oq_scratch(context, list->count * sizeof *parts, err);
    if (!parts) return ONNXQ_NO_MEMORY;
    for (size_t k = 0; k < list->count; ++k)
        parts[k] = &list->items[reverse ? list->count - 1 - k : k].tensor;
    int at;
    if (!oq_axis_normalize(axis, parts[0]->shape.rank + 1, &at))
        return oq_fail(err, ONNXQ_BAD_MODEL, "%s stacks along axis %lld what has rank %d",
                       context->node->op_type, (long long)axis, parts[0]->shape.rank);
    return oq_stack(context, out, parts, list->count, at, err);
}

void oq_collection_free(oq_run_context *context, oq_collection *list) {
    oq_values_free(context, list->items, list->count);
    *list = (oq_collection){0};
}
