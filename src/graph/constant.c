// Constants: loading their data, and finding the one behind a value.
#include "graph/graph.h"

#include <string.h>

oq_status oq_constant_new(oq_model *model, oq_constant **out, oq_error *err) {
    *out = NULL;
    oq_constant *constant = oq_arena_alloc(&model->arena, sizeof *constant, err);
    if (!constant) return ONNXQ_NO_MEMORY;
    constant->name = constant->doc = "";
    constant->next = model->constants;
    model->constants = constant;
    *out = constant;
    return ONNXQ_OK;
}

uint64_t oq_constant_bytes(const oq_constant *constant) {
    if (constant->dtype == ONNXQ_STRING) {
        const size_t table = ((size_t)oq_shape_count(&constant->shape) + 1) * sizeof(int64_t);
        return constant->tensor.data ? oq_tensor_bytes(&constant->tensor) - table : 0;
    }
    return oq_packed_bytes(constant->dtype, (size_t)oq_shape_count(&constant->shape));
}

// Reads packed elements and gives each its byte.
static oq_status read_packed(oq_mem *mem, const oq_constant *constant, oq_tensor *tensor, oq_error *err) {
    uint8_t *packed = oq_mem_alloc(mem, (size_t)constant->length, err);
    if (!packed) return ONNXQ_NO_MEMORY;
    const oq_status status =
        oq_file_read(constant->file, constant->offset, packed, (size_t)constant->length, err);
    if (status == ONNXQ_OK) oq_unpack(constant->dtype, packed, tensor->data, (size_t)oq_tensor_count(tensor));
    oq_mem_free(mem, packed);
    return status;
}

oq_status oq_constant_load(oq_mem *mem, const oq_constant *constant, oq_tensor *out, oq_error *err) {
    *out = (oq_tensor){0};
    if (constant->tensor.dtype != ONNXQ_UNDEFINED) {
        *out = oq_tensor_retain(&constant->tensor);
        return ONNXQ_OK;
    }
    const uint64_t bytes = oq_constant_bytes(constant);
    if (!constant->file || constant->length != bytes) {
        char shape[256];
        oq_fail(err, ONNXQ_BAD_MODEL, "tensor '%s' (%s%s) needs %llu bytes, the file gives it %llu",
                constant->name, oq_dtype_info(constant->dtype)->name,
                oq_shape_format(&constant->shape, shape, sizeof shape), (unsigned long long)bytes,
                (unsigned long long)(constant->file ? constant->length : 0));
        oq_error_at_tensor(err, constant->name);
        return ONNXQ_BAD_MODEL;
    }
    oq_tensor tensor;
    OQ_TRY(oq_tensor_new(mem, constant->dtype, &constant->shape, &tensor, err));
    const oq_status status =
        oq_dtype_is_sub_byte(constant->dtype)
            ? read_packed(mem, constant, &tensor, err)
            : oq_file_read(constant->file, constant->offset, tensor.data, (size_t)bytes, err);
    if (status != ONNXQ_OK) {
        oq_error_at_tensor(err, constant->name);
        oq_tensor_release(&tensor);
        return status;
    }
    if (constant->dtype == ONNXQ_BOOL) { // kernels rely on 0 and 1
        uint8_t *truth = tensor.data;
        for (size_t i = 0; i < bytes; i++) truth[i] = truth[i] != 0;
    }
    *out = tensor;
    return ONNXQ_OK;
}

static oq_status tensor_of_strings(oq_mem *mem, const oq_shape *shape, const oq_bytes *strings, size_t count,
                                   oq_tensor *out, oq_error *err) {
    const char **texts = oq_mem_calloc(mem, count + 1, sizeof *texts, err);
    size_t *lengths = oq_mem_calloc(mem, count + 1, sizeof *lengths, err);
    oq_status status = texts && lengths ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    for (size_t i = 0; status == ONNXQ_OK && i < count; i++) {
        texts[i] = (const char *)strings[i].data;
        lengths[i] = strings[i].size;
    }
    if (status == ONNXQ_OK) status = oq_tensor_new_strings(mem, shape, texts, lengths, out, err);
    oq_mem_free(mem, texts);
    oq_mem_free(mem, lengths);
    return status;
}

// The value_* attributes of Constant: a scalar, or a list of rank 1.
static oq_status tensor_of_attr(oq_mem *mem, const oq_attr *attr, oq_tensor *out, oq_error *err) {
    const bool list =
        attr->kind == OQ_ATTR_FLOATS || attr->kind == OQ_ATTR_INTS || attr->kind == OQ_ATTR_STRINGS;
    const oq_shape shape = {.rank = list, .dim = {list ? (int64_t)attr->count : 0}};
    const void *source = NULL;
    oq_dtype dtype = ONNXQ_INT64;
    switch (attr->kind) {
    case OQ_ATTR_STRING: return tensor_of_strings(mem, &shape, &attr->s, 1, out, err);
    case OQ_ATTR_STRINGS: return tensor_of_strings(mem, &shape, attr->strings, attr->count, out, err);
    case OQ_ATTR_INT: source = &attr->i; break;
    case OQ_ATTR_INTS: source = attr->ints; break;
    case OQ_ATTR_FLOAT: source = &attr->f, dtype = ONNXQ_FLOAT; break;
    default: source = attr->floats, dtype = ONNXQ_FLOAT; break;
    }
    OQ_TRY(oq_tensor_new(mem, dtype, &shape, out, err));
    const size_t bytes = oq_tensor_bytes(out);
    if (bytes) memcpy(out->data, source, bytes);
    return ONNXQ_OK;
}

// The constant that a Constant node holds; made once and kept at the value. NULL when it is none that we
// know, or memory is short.
static const oq_constant *constant_of_node(oq_graph *graph, oq_gvalue *value, const oq_node *node) {
    static const struct {
        const char *name;
        oq_attr_kind kind;
    } forms[] = {{"value_float", OQ_ATTR_FLOAT},   {"value_floats", OQ_ATTR_FLOATS},
                 {"value_int", OQ_ATTR_INT},       {"value_ints", OQ_ATTR_INTS},
                 {"value_string", OQ_ATTR_STRING}, {"value_strings", OQ_ATTR_STRINGS}};
    const oq_attr *attr = oq_node_attr(node, "value");
    if (attr) return attr->kind == OQ_ATTR_TENSOR && !attr->reference ? attr->tensor : NULL;
    for (size_t i = 0; !value->made && i < sizeof forms / sizeof forms[0]; i++) {
        attr = oq_node_attr(node, forms[i].name);
        if (!attr || attr->kind != forms[i].kind || attr->reference) continue;
        oq_constant *made = NULL;
        oq_tensor tensor;
        if (tensor_of_attr(graph->model->mem, attr, &tensor, NULL) != ONNXQ_OK) return NULL;
        if (oq_constant_new(graph->model, &made, NULL) != ONNXQ_OK) {
            oq_tensor_release(&tensor);
            return NULL;
        }
        made->name = value->name;
        made->dtype = tensor.dtype;
        made->shape = tensor.shape;
        made->tensor = tensor;
        value->made = made;
    }
    return value->made;
}

const oq_constant *oq_graph_constant(oq_graph *graph, oq_value_id value) {
    // Each step goes to an earlier value or outwards; a graph with a cycle must not hold us for ever.
    for (size_t steps = 0; value != OQ_NONE && steps <= graph->value_count; steps++) {
        oq_gvalue *v = graph->values[value];
        if (v->initializer) return v->is_input ? NULL : v->initializer;
        if (v->is_capture) {
            if (!graph->parent) return NULL;
            graph = graph->parent;
            value = oq_graph_find(graph, v->name);
            continue;
        }
        if (v->producer == OQ_NONE) return NULL;
        const oq_node *node = graph->nodes[v->producer];
        if (oq_node_is(node, "Constant")) return constant_of_node(graph, v, node);
        if (!oq_node_is(node, "Identity") || node->input_count != 1) return NULL;
        value = node->inputs[0];
    }
    return NULL;
}
