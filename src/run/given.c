// Check of values that a caller gives against what the graph declares.
#include "run/given.h"

static const oq_value_kind kind_of_type[] = {
    [OQ_TYPE_TENSOR] = OQ_VALUE_TENSOR,
    [OQ_TYPE_SEQUENCE] = OQ_VALUE_SEQUENCE,
    [OQ_TYPE_OPTIONAL] = OQ_VALUE_OPTIONAL,
    [OQ_TYPE_MAP] = OQ_VALUE_MAP,
};

static const char *const kind_names[] = {
    [OQ_VALUE_NONE] = "nothing",         [OQ_VALUE_TENSOR] = "a tensor", [OQ_VALUE_SEQUENCE] = "a sequence",
    [OQ_VALUE_OPTIONAL] = "an optional", [OQ_VALUE_MAP] = "a map",
};

static bool tensor_fits(const oq_type *type, const oq_tensor *tensor) {
    if (type->dtype != ONNXQ_UNDEFINED && type->dtype != tensor->dtype) return false;
    if (type->rank < 0) return true;
    if (type->rank != tensor->shape.rank) return false;
    for (int d = 0; d < type->rank; d++)
        if (oq_dim_known(type->dim[d]) && type->dim[d].size != tensor->shape.dim[d]) return false;
    return true;
}

static bool value_fits(const oq_type *type, const oq_value *value) {
    if (type->kind == OQ_TYPE_UNKNOWN) return value->kind != OQ_VALUE_NONE;
    // An optional may be given as its content, or not at all.
    if (type->kind == OQ_TYPE_OPTIONAL && value->kind != OQ_VALUE_OPTIONAL)
        return value->kind == OQ_VALUE_NONE || !type->elem || value_fits(type->elem, value);
    if (type->kind == OQ_TYPE_SPARSE || value->kind != kind_of_type[type->kind]) return false;
    return type->kind != OQ_TYPE_TENSOR || tensor_fits(type, &value->tensor);
}

oq_status oq_check_given(const oq_gvalue *input, const oq_value *given, oq_mem *mem, oq_error *err) {
    if (value_fits(&input->type, given)) return ONNXQ_OK;
    oq_text wants;
    oq_text_init(&wants, mem);
    oq_type_format(&input->type, &wants);
    char shape[256] = "";
    if (given->kind == OQ_VALUE_TENSOR) oq_shape_format(&given->tensor.shape, shape, sizeof shape);
    const oq_status status = oq_fail(
        err, ONNXQ_BAD_DATA, "input '%s' must be %s, but %s%s was given", input->name, oq_text_get(&wants),
        given->kind == OQ_VALUE_TENSOR ? onnxq_dtype_name(given->tensor.dtype) : kind_names[given->kind],
        shape);
    oq_error_at_tensor(err, input->name);
    oq_text_release(&wants);
    return status;
}
