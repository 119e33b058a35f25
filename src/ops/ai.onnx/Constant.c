// Constant: the value of an attribute.
#include "ops/lib/schema.h"
#include "ops/lib/sparse.h"

#include <string.h>

static oq_status take(oq_run_context *context, oq_tensor tensor) {
    oq_out_take(context, 0, oq_value_of_tensor(tensor));
    return ONNXQ_OK;
}

// Numbers of an attribute as a list, or as a scalar when `list` is false.
static oq_status numbers(oq_run_context *context, oq_dtype dtype, const void *values, size_t count, bool list,
                         oq_error *err) {
    const oq_shape shape = list ? OQ_SHAPE((int64_t)count) : (oq_shape){0};
    oq_tensor *out;
    OQ_TRY(oq_out(context, 0, dtype, &shape, &out, err));
    if (count) memcpy(out->data, values, count * oq_dtype_bytes(dtype));
    return ONNXQ_OK;
}

static oq_status strings(oq_run_context *context, const oq_bytes *values, size_t count, bool list,
                         oq_error *err) {
    const char **texts = oq_scratch(context, (count + 1) * sizeof *texts, err);
    size_t *lengths = oq_scratch(context, (count + 1) * sizeof *lengths, err);
    if (!texts || !lengths) return ONNXQ_NO_MEMORY;
    for (size_t k = 0; k < count; ++k) texts[k] = (const char *)values[k].data, lengths[k] = values[k].size;
    const oq_shape shape = list ? OQ_SHAPE((int64_t)count) : (oq_shape){0};
    oq_tensor tensor;
    OQ_TRY(oq_tensor_new_strings(context->mem, &shape, texts, lengths, &tensor, err));
    return take(context, tensor);
}

static const oq_attr *value_attr(const oq_node *node) {
    for (size_t a = 0; a < node->attr_count; ++a)
        if (!strncmp(node->attrs[a].name, "value", 5) || !strcmp(node->attrs[a].name, "sparse_value"))
            return &node->attrs[a];
    return NULL;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_attr *attr = value_attr(context->node);
    oq_tensor tensor;
    if (!attr) return oq_fail(err, ONNXQ_BAD_MODEL, "Constant without a value");
    switch (attr->kind) {
    case OQ_ATTR_TENSOR:
        OQ_TRY(oq_constant_load(context->mem, attr->tensor, &tensor, err));
        return take(context, tensor);
    case OQ_ATTR_SPARSE:
        OQ_TRY(oq_sparse_load(context->mem, attr->sparse, &tensor, err));
        return take(context, tensor);
    case OQ_ATTR_FLOAT: return numbers(context, ONNXQ_FLOAT, &attr->f, 1, false, err);
    case OQ_ATTR_INT: return numbers(context, ONNXQ_INT64, &attr->i, 1, false, err);
    case OQ_ATTR_STRING: return strings(context, &attr->s, 1, false, err);
    case OQ_ATTR_FLOATS: return numbers(context, ONNXQ_FLOAT, attr->floats, attr->count, true, err);
    case OQ_ATTR_INTS: return numbers(context, ONNXQ_INT64, attr->ints, attr->count, true, err);
    case OQ_ATTR_STRINGS: return strings(context, attr->strings, attr->count, true, err);
    default: return oq_fail(err, ONNXQ_BAD_MODEL, "attribute '%s' is no value of Constant", attr->name);
    }
}

static void set_shape(oq_infer_context *context, oq_dtype dtype, const oq_shape *shape) {
    oq_dim dims[OQ_MAX_RANK];
    for (int d = 0; d < shape->rank; ++d) dims[d] = oq_dim_of(shape->dim[d]);
    oq_infer_set(context, 0, dtype, shape->rank, dims);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_attr *attr = value_attr(context->node);
    if (!attr) return oq_fail(err, ONNXQ_BAD_MODEL, "Constant without a value");
    const oq_dim length = oq_dim_of((int64_t)attr->count);
    switch (attr->kind) {
    case OQ_ATTR_TENSOR: set_shape(context, attr->tensor->dtype, &attr->tensor->shape); break;
    case OQ_ATTR_SPARSE: set_shape(context, attr->sparse->values->dtype, &attr->sparse->shape); break;
    case OQ_ATTR_FLOAT: oq_infer_set(context, 0, ONNXQ_FLOAT, 0, NULL); break;
    case OQ_ATTR_INT: oq_infer_set(context, 0, ONNXQ_INT64, 0, NULL); break;
    case OQ_ATTR_STRING: oq_infer_set(context, 0, ONNXQ_STRING, 0, NULL); break;
    case OQ_ATTR_FLOATS: oq_infer_set(context, 0, ONNXQ_FLOAT, 1, &length); break;
    case OQ_ATTR_INTS: oq_infer_set(context, 0, ONNXQ_INT64, 1, &length); break;
    case OQ_ATTR_STRINGS: oq_infer_set(context, 0, ONNXQ_STRING, 1, &length); break;
    default: return oq_fail(err, ONNXQ_BAD_MODEL, "attribute '%s' is no value of Constant", attr->name);
    }
    // Elements of an integer constant are read here when it has no initializer's place in the graph.
    if (attr->kind != OQ_ATTR_TENSOR || attr->tensor->dtype != ONNXQ_INT64 || attr->tensor->shape.rank > 1 ||
        oq_shape_count(&attr->tensor->shape) > OQ_INFER_MAX_DIMS)
        return ONNXQ_OK;
    oq_tensor tensor;
    oq_dim elements[OQ_INFER_MAX_DIMS];
    OQ_TRY(oq_constant_load(context->model->mem, attr->tensor, &tensor, err));
    const size_t count = (size_t)oq_tensor_count(&tensor);
    for (size_t k = 0; k < count; ++k) elements[k] = oq_dim_number(oq_tensor_get_i64(&tensor, (int64_t)k));
    oq_tensor_release(&tensor);
    return oq_infer_set_elements(context, 0, elements, count, err);
}

#define VALUE                                                                                                \
    { "value", OQ_ATTR_TENSOR, true }
#define VALUES                                                                                               \
    {"sparse_value", OQ_ATTR_SPARSE, false}, {"value", OQ_ATTR_TENSOR, false},                               \
        {"value_float", OQ_ATTR_FLOAT, false}, {"value_floats", OQ_ATTR_FLOATS, false},                      \
        {"value_int", OQ_ATTR_INT, false}, {"value_ints", OQ_ATTR_INTS, false},                              \
        {"value_string", OQ_ATTR_STRING, false}, {                                                           \
        "value_strings", OQ_ATTR_STRINGS, false                                                              \
    }
#define VERSION(SINCE, SET, ...)                                                                             \
    {                                                                                                        \
        .since = SINCE, .signature = "-> output:T", .types = OQ_TYPES({"T", SET}),                           \
        .attrs = OQ_ATTRS(__VA_ARGS__), .infer = infer, .run = run                                           \
    }

static const oq_op_version versions[] = {
    VERSION(1, OQ_T_FLOATS3, VALUE),
    VERSION(9, OQ_T_ALL1, VALUE),
    VERSION(11, OQ_T_ALL1, {"sparse_value", OQ_ATTR_SPARSE, false}, {"value", OQ_ATTR_TENSOR, false}),
    VERSION(12, OQ_T_ALL1, VALUES),
    VERSION(13, OQ_T_ALL13, VALUES),
    VERSION(19, OQ_T_ALL19, VALUES),
    VERSION(21, OQ_T_ALL21, VALUES),
    VERSION(23, OQ_T_ALL23, VALUES),
    VERSION(24, OQ_T_ALL24, VALUES),
    VERSION(25, OQ_T_ALL25, VALUES),
};

OQ_ONNX_OP(Constant, versions);
