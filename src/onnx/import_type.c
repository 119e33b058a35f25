// TypeProto to the IR's types.
#include "onnx/import.h"

#include <string.h>

static oq_status import_dtype(int32_t number, oq_dtype *dtype, oq_error *err) {
    if (number < 0 || number >= ONNXQ_DTYPE_COUNT)
        return oq_fail(err, ONNXQ_UNSUPPORTED, "data type %d is not known; ONNX 1.23 defines 1 to %d", number,
                       ONNXQ_DTYPE_COUNT - 1);
    *dtype = (oq_dtype)number;
    return ONNXQ_OK;
}

static oq_status import_shape(oq_importer *importer, const Onnx__TensorShapeProto *from, oq_type *type,
                              oq_error *err) {
    type->rank = -1;
    if (!from) return ONNXQ_OK;
    if (from->n_dim > OQ_MAX_RANK)
        return oq_fail(err, ONNXQ_UNSUPPORTED, "a shape of %zu dimensions; at most %d are supported",
                       from->n_dim, OQ_MAX_RANK);
    type->rank = (int)from->n_dim;
    for (size_t i = 0; i < from->n_dim; i++) {
        const Onnx__TensorShapeProto__Dimension *dim = from->dim[i];
        type->dim[i] = OQ_DIM_ANONYMOUS;
        if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE) {
            if (dim->dim_value >= 0) type->dim[i] = oq_dim_of(dim->dim_value);
        } else if (dim->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM) {
            const char *name = dim->dim_param;
            if (!name[0] || !strcmp(name, "?") || !strcmp(name, "-1")) continue;
            type->dim[i].symbol = oq_model_intern(importer->model, name, err);
            if (!type->dim[i].symbol) return ONNXQ_NO_MEMORY;
        }
    }
    return ONNXQ_OK;
}

static oq_status import_tensor_type(oq_importer *importer, oq_type_kind kind, int32_t elem,
                                    const Onnx__TensorShapeProto *shape, oq_type *type, oq_error *err) {
    type->kind = kind;
    OQ_TRY(import_dtype(elem, &type->dtype, err));
    return import_shape(importer, shape, type, err);
}

static oq_status import_elem(oq_importer *importer, oq_type_kind kind, const Onnx__TypeProto *from,
                             oq_type *type, oq_error *err) {
    oq_type *elem = oq_arena_calloc(&importer->model->arena, 1, sizeof *elem, err);
    if (!elem) return ONNXQ_NO_MEMORY;
    type->kind = kind;
    type->elem = elem;
    return oq_import_type(importer, from, elem, err);
}

// Depth is bounded by the scan. Opaque types and those of later standards stay unknown.
oq_status oq_import_type(oq_importer *importer, const Onnx__TypeProto *from, oq_type *type, oq_error *err) {
    *type = (oq_type){0};
    if (!from) return ONNXQ_OK;
    switch (from->value_case) {
    case ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE:
        return import_tensor_type(importer, OQ_TYPE_TENSOR, from->tensor_type->elem_type,
                                  from->tensor_type->shape, type, err);
    case ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE:
        return import_tensor_type(importer, OQ_TYPE_SPARSE, from->sparse_tensor_type->elem_type,
                                  from->sparse_tensor_type->shape, type, err);
    case ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE:
        return import_elem(importer, OQ_TYPE_SEQUENCE, from->sequence_type->elem_type, type, err);
    case ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE:
        return import_elem(importer, OQ_TYPE_OPTIONAL, from->optional_type->elem_type, type, err);
    case ONNX__TYPE_PROTO__VALUE_MAP_TYPE:
        OQ_TRY(import_dtype(from->map_type->key_type, &type->dtype, err));
        return import_elem(importer, OQ_TYPE_MAP, from->map_type->value_type, type, err);
    default: return ONNXQ_OK;
    }
}
