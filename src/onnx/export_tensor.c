// Constants and types to their messages.
#include "onnx/export.h"

#include <stdio.h>
#include <string.h>

bool oq_export_clean_constant(const oq_exporter *exporter, const oq_constant *constant) {
    if (!constant->origin.size || !exporter->model->file) return false;
    if (constant->external) return !exporter->rehome;
    return !exporter->outside || constant->dtype == ONNXQ_STRING ||
           oq_constant_bytes(constant) < exporter->minimum;
}

void oq_export_span(oq_exporter *exporter, const oq_origin *origin) {
    oq_rope_add_range(&exporter->rope, exporter->model->file, origin->offset, origin->size);
}

static void add_payload(oq_rope *rope, const oq_constant *constant) {
    if (constant->tensor.dtype != ONNXQ_UNDEFINED)
        oq_rope_add_tensor(rope, &constant->tensor);
    else
        oq_rope_add_range(rope, constant->file, constant->offset, constant->length);
}

static void add_strings(oq_rope *rope, const oq_tensor *tensor) {
    const uint32_t number = OQ_FIELD(tensor_proto, string_data);
    for (int64_t i = 0; i < oq_tensor_count(tensor); i++) {
        size_t length = 0;
        const char *text = oq_tensor_string(tensor, i, &length);
        oq_rope_add_tag(rope, number, OQ_WIRE_BYTES);
        oq_rope_add_varint(rope, length);
        oq_rope_add(rope, text, length);
    }
}

static void add_entry(oq_exporter *exporter, const char *key, const char *text, bool late) {
    oq_rope *rope = &exporter->rope;
    const size_t mark = oq_rope_open(rope, OQ_FIELD(tensor_proto, external_data));
    const size_t key_mark = oq_rope_open(rope, OQ_FIELD(string_string_entry_proto, key));
    oq_rope_add(rope, key, strlen(key));
    oq_rope_close(rope, key_mark);
    const size_t text_mark = oq_rope_open(rope, OQ_FIELD(string_string_entry_proto, value));
    if (late)
        oq_rope_add_late(rope, text, strlen(text));
    else
        oq_rope_add(rope, text, strlen(text));
    oq_rope_close(rope, text_mark);
    oq_rope_close(rope, mark);
}

// Puts the bytes into the data file, at a multiple of 64, and says where they are.
static void add_external(oq_exporter *exporter, const oq_constant *constant) {
    static const uint8_t zeros[OQ_ALIGNMENT];
    oq_rope *data = &exporter->data;
    oq_rope_add(data, zeros, (size_t)(-data->size % OQ_ALIGNMENT));
    char number[24];
    add_entry(exporter, "location", exporter->location, true);
    snprintf(number, sizeof number, "%llu", (unsigned long long)data->size);
    add_entry(exporter, "offset", number, false);
    snprintf(number, sizeof number, "%llu", (unsigned long long)oq_constant_bytes(constant));
    add_entry(exporter, "length", number, false);
    oq_rope_add_tag(&exporter->rope, OQ_FIELD(tensor_proto, data_location), OQ_WIRE_VARINT);
    oq_rope_add_varint(&exporter->rope, ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL);
    add_payload(data, constant);
}

static bool has_data(const oq_constant *constant) {
    return constant->tensor.dtype != ONNXQ_UNDEFINED || constant->file;
}

void oq_export_constant(oq_exporter *exporter, uint32_t number, const oq_constant *constant) {
    if (oq_export_clean_constant(exporter, constant))
        oq_export_span(exporter, &constant->origin);
    else
        oq_export_new_constant(exporter, number, constant, constant->name);
}

void oq_export_new_constant(oq_exporter *exporter, uint32_t number, const oq_constant *constant,
                            const char *name) {
    oq_rope *rope = &exporter->rope;
    const size_t mark = number ? oq_rope_open(rope, number) : 0;
    Onnx__TensorProto head = ONNX__TENSOR_PROTO__INIT;
    head.n_dims = (size_t)constant->shape.rank;
    head.dims = (int64_t *)constant->shape.dim;
    head.has_data_type = true;
    head.data_type = (int32_t)constant->dtype;
    head.name = oq_export_text(name);
    head.doc_string = oq_export_text(constant->doc);
    oq_rope_add_message(rope, &head.base);
    if (constant->dtype == ONNXQ_STRING) {
        if (has_data(constant)) add_strings(rope, &constant->tensor);
    } else if (has_data(constant) && exporter->outside && oq_constant_bytes(constant) >= exporter->minimum) {
        add_external(exporter, constant);
    } else if (has_data(constant)) {
        const size_t raw = oq_rope_open(rope, OQ_FIELD(tensor_proto, raw_data));
        add_payload(rope, constant);
        oq_rope_close(rope, raw);
    }
    oq_rope_add(rope, constant->origin.unknown.data, constant->origin.unknown.size);
    if (number) oq_rope_close(rope, mark);
}

// --- types ---

#define NEW(exporter, type, INIT, result)                                                                    \
    do {                                                                                                     \
        (result) = oq_arena_alloc(&(exporter)->scratch, sizeof(type), (exporter)->err);                      \
        if (!(result)) return ONNXQ_NO_MEMORY;                                                               \
        *(result) = (type)INIT;                                                                              \
    } while (0)

static oq_status export_shape(oq_exporter *exporter, const oq_type *type, Onnx__TensorShapeProto **out) {
    if (type->rank < 0) return ONNXQ_OK;
    NEW(exporter, Onnx__TensorShapeProto, ONNX__TENSOR_SHAPE_PROTO__INIT, *out);
    (*out)->n_dim = (size_t)type->rank;
    (*out)->dim = oq_arena_calloc(&exporter->scratch, (*out)->n_dim, sizeof *(*out)->dim, exporter->err);
    if (!(*out)->dim) return ONNXQ_NO_MEMORY;
    for (int i = 0; i < type->rank; i++) {
        Onnx__TensorShapeProto__Dimension *dim = NULL;
        NEW(exporter, Onnx__TensorShapeProto__Dimension, ONNX__TENSOR_SHAPE_PROTO__DIMENSION__INIT, dim);
        (*out)->dim[i] = dim;
        if (oq_dim_known(type->dim[i])) {
            dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE;
            dim->dim_value = type->dim[i].size;
        } else if (type->dim[i].symbol) {
            dim->value_case = ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM;
            dim->dim_param = (char *)type->dim[i].symbol;
        }
    }
    return ONNXQ_OK;
}

static oq_status export_tensor_type(oq_exporter *exporter, const oq_type *type, Onnx__TypeProto *into) {
    into->value_case = ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE;
    NEW(exporter, Onnx__TypeProto__Tensor, ONNX__TYPE_PROTO__TENSOR__INIT, into->tensor_type);
    into->tensor_type->has_elem_type = true;
    into->tensor_type->elem_type = (int32_t)type->dtype;
    return export_shape(exporter, type, &into->tensor_type->shape);
}

static oq_status export_sparse_type(oq_exporter *exporter, const oq_type *type, Onnx__TypeProto *into) {
    into->value_case = ONNX__TYPE_PROTO__VALUE_SPARSE_TENSOR_TYPE;
    NEW(exporter, Onnx__TypeProto__SparseTensor, ONNX__TYPE_PROTO__SPARSE_TENSOR__INIT,
        into->sparse_tensor_type);
    into->sparse_tensor_type->has_elem_type = true;
    into->sparse_tensor_type->elem_type = (int32_t)type->dtype;
    return export_shape(exporter, type, &into->sparse_tensor_type->shape);
}

static oq_status export_holder(oq_exporter *exporter, const oq_type *type, Onnx__TypeProto *into) {
    Onnx__TypeProto *elem = NULL;
    if (type->elem) OQ_TRY(oq_export_type(exporter, type->elem, &elem));
    if (type->kind == OQ_TYPE_SEQUENCE) {
        into->value_case = ONNX__TYPE_PROTO__VALUE_SEQUENCE_TYPE;
        NEW(exporter, Onnx__TypeProto__Sequence, ONNX__TYPE_PROTO__SEQUENCE__INIT, into->sequence_type);
        into->sequence_type->elem_type = elem;
    } else if (type->kind == OQ_TYPE_OPTIONAL) {
        into->value_case = ONNX__TYPE_PROTO__VALUE_OPTIONAL_TYPE;
        NEW(exporter, Onnx__TypeProto__Optional, ONNX__TYPE_PROTO__OPTIONAL__INIT, into->optional_type);
        into->optional_type->elem_type = elem;
    } else {
        into->value_case = ONNX__TYPE_PROTO__VALUE_MAP_TYPE;
        NEW(exporter, Onnx__TypeProto__Map, ONNX__TYPE_PROTO__MAP__INIT, into->map_type);
        into->map_type->has_key_type = true;
        into->map_type->key_type = (int32_t)type->dtype;
        into->map_type->value_type = elem;
    }
    return ONNXQ_OK;
}

oq_status oq_export_type(oq_exporter *exporter, const oq_type *type, Onnx__TypeProto **out) {
    *out = NULL;
    if (type->kind == OQ_TYPE_UNKNOWN) return ONNXQ_OK;
    NEW(exporter, Onnx__TypeProto, ONNX__TYPE_PROTO__INIT, *out);
    if (type->kind == OQ_TYPE_TENSOR) return export_tensor_type(exporter, type, *out);
    if (type->kind == OQ_TYPE_SPARSE) return export_sparse_type(exporter, type, *out);
    return export_holder(exporter, type, *out);
}

oq_status oq_export_pairs(oq_exporter *exporter, const oq_pair *pairs, size_t count,
                          Onnx__StringStringEntryProto ***out) {
    *out = oq_arena_calloc(&exporter->scratch, count, sizeof **out, exporter->err);
    if (!*out) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        NEW(exporter, Onnx__StringStringEntryProto, ONNX__STRING_STRING_ENTRY_PROTO__INIT, (*out)[i]);
        (*out)[i]->key = (char *)pairs[i].key;
        (*out)[i]->value = (char *)pairs[i].text;
    }
    return ONNXQ_OK;
}
