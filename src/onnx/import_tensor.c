// TensorProto and SparseTensorProto to constants: large payloads stay in the file, the others become tensors.
#include "onnx/import.h"

#include <string.h>

#define LARGEST_DENSE ((size_t)1 << 30) // bytes of a sparse tensor written out

static const oq_layout tensor_layout = {
    .message = &onnx__tensor_proto__descriptor,
    .apart = {offsetof(Onnx__TensorProto, raw_data), offsetof(Onnx__TensorProto, float_data),
              offsetof(Onnx__TensorProto, double_data), offsetof(Onnx__TensorProto, int32_data),
              offsetof(Onnx__TensorProto, int64_data), offsetof(Onnx__TensorProto, uint64_data),
              offsetof(Onnx__TensorProto, string_data)},
    .carried = {offsetof(Onnx__TensorProto, metadata_props), offsetof(Onnx__TensorProto, segment)}};

static const oq_layout sparse_layout = {
    .message = &onnx__sparse_tensor_proto__descriptor,
    .apart = {offsetof(Onnx__SparseTensorProto, values), offsetof(Onnx__SparseTensorProto, indices)}};

// How the standard writes the elements of a type when not as raw bytes.
typedef struct typed_form {
    size_t field;   // offset in Onnx__TensorProto
    size_t width;   // bytes of one entry of the field that count
    size_t entries; // for the whole tensor
    bool packed;    // an entry is a byte of several sub-byte elements
} typed_form;

static typed_form form_of(oq_dtype dtype, size_t count) {
    const oq_dtype_traits *traits = oq_dtype_info(dtype);
    switch (dtype) {
    case ONNXQ_STRING: return (typed_form){offsetof(Onnx__TensorProto, string_data), 0, count, false};
    case ONNXQ_FLOAT: return (typed_form){offsetof(Onnx__TensorProto, float_data), 4, count, false};
    case ONNXQ_COMPLEX64: return (typed_form){offsetof(Onnx__TensorProto, float_data), 4, count * 2, false};
    case ONNXQ_DOUBLE: return (typed_form){offsetof(Onnx__TensorProto, double_data), 8, count, false};
    case ONNXQ_COMPLEX128: return (typed_form){offsetof(Onnx__TensorProto, double_data), 8, count * 2, false};
    case ONNXQ_INT64: return (typed_form){offsetof(Onnx__TensorProto, int64_data), 8, count, false};
    case ONNXQ_UINT32:
    case ONNXQ_UINT64:
        return (typed_form){offsetof(Onnx__TensorProto, uint64_data), traits->bytes, count, false};
    case ONNXQ_FLOAT6E2M3: // the one sub-byte family with an entry per element
    case ONNXQ_FLOAT6E3M2: return (typed_form){offsetof(Onnx__TensorProto, int32_data), 1, count, false};
    default:
        if (oq_dtype_is_sub_byte(dtype))
            return (typed_form){offsetof(Onnx__TensorProto, int32_data), 1, oq_packed_bytes(dtype, count),
                                true};
        return (typed_form){offsetof(Onnx__TensorProto, int32_data), traits->bytes, count, false};
    }
}

static oq_status import_dims(const Onnx__TensorProto *from, oq_constant *constant, oq_error *err) {
    if (from->data_type <= 0 || from->data_type >= ONNXQ_DTYPE_COUNT)
        return oq_fail(err, from->data_type <= 0 ? ONNXQ_BAD_MODEL : ONNXQ_UNSUPPORTED,
                       "tensor '%s': data type %d is not known; ONNX 1.23 defines 1 to %d", constant->name,
                       from->data_type, ONNXQ_DTYPE_COUNT - 1);
    if (from->n_dims > OQ_MAX_RANK)
        return oq_fail(err, ONNXQ_UNSUPPORTED, "tensor '%s': %zu dimensions; at most %d are supported",
                       constant->name, from->n_dims, OQ_MAX_RANK);
    constant->dtype = (oq_dtype)from->data_type;
    constant->shape.rank = (int)from->n_dims;
    for (size_t i = 0; i < from->n_dims; i++) {
        if (from->dims[i] < 0)
            return oq_fail(err, ONNXQ_BAD_MODEL, "tensor '%s': dimension %zu is negative (%lld)",
                           constant->name, i, (long long)from->dims[i]);
        constant->shape.dim[i] = from->dims[i];
    }
    const size_t bytes = oq_dtype_bytes(constant->dtype);
    size_t total = 0;
    if (oq_shape_check(&constant->shape, bytes ? bytes : 1, &total, err) != ONNXQ_OK) return ONNXQ_BAD_MODEL;
    return ONNXQ_OK;
}

static oq_status wrong_size(const oq_constant *constant, uint64_t have, uint64_t need, const char *what,
                            oq_error *err) {
    char shape[256];
    return oq_fail(err, ONNXQ_BAD_MODEL, "tensor '%s' of %s%s needs %llu %s, the file holds %llu",
                   constant->name, oq_dtype_info(constant->dtype)->name,
                   oq_shape_format(&constant->shape, shape, sizeof shape), (unsigned long long)need, what,
                   (unsigned long long)have);
}

// Bytes as in files (packed) to a tensor in memory.
static oq_status unpack_bytes(oq_importer *importer, const uint8_t *bytes, size_t size, oq_constant *constant,
                              oq_error *err) {
    oq_tensor tensor = {0};
    OQ_TRY(oq_tensor_new(importer->model->mem, constant->dtype, &constant->shape, &tensor, err));
    if (oq_dtype_is_sub_byte(constant->dtype))
        oq_unpack(constant->dtype, bytes, tensor.data, (size_t)oq_tensor_count(&tensor));
    else if (size)
        memcpy(tensor.data, bytes, size);
    constant->tensor = tensor;
    return ONNXQ_OK;
}

static oq_status leave_in_file(oq_importer *importer, const oq_field *field, oq_constant *constant) {
    constant->file = oq_file_retain(importer->image.file);
    constant->offset = field->offset;
    constant->length = field->size;
    return ONNXQ_OK;
}

static oq_status import_raw(oq_importer *importer, const oq_field *field, oq_constant *constant,
                            oq_error *err) {
    const size_t need = oq_packed_bytes(constant->dtype, (size_t)oq_shape_count(&constant->shape));
    if (constant->dtype == ONNXQ_STRING)
        return oq_fail(err, ONNXQ_BAD_MODEL, "tensor '%s': strings cannot be raw data", constant->name);
    if (field->size != need) return wrong_size(constant, field->size, need, "bytes", err);
    if (oq_image_is_cut(&importer->image, field->offset)) return leave_in_file(importer, field, constant);
    return unpack_bytes(importer, oq_image_at(&importer->image, field->offset), need, constant, err);
}

static size_t count_entries(const oq_image *image, const oq_field *field) {
    if (field->wire != OQ_WIRE_BYTES || field->known->type == PROTOBUF_C_TYPE_BYTES) return 1;
    if (field->known->type == PROTOBUF_C_TYPE_FLOAT) return (size_t)field->size / 4;
    if (field->known->type == PROTOBUF_C_TYPE_DOUBLE) return (size_t)field->size / 8;
    const uint8_t *bytes = oq_image_at(image, field->offset);
    size_t count = 0;
    for (uint64_t i = 0; i < field->size; i++) count += !(bytes[i] & 0x80);
    return count;
}

// The entries of one field, each `width` bytes, to `into`; returns where the next go.
static oq_status take_entries(oq_importer *importer, const oq_field *field, size_t width, uint8_t **into,
                              oq_error *err) {
    if (field->wire != OQ_WIRE_BYTES) {
        memcpy(*into, &field->value, width);
        *into += width;
        return ONNXQ_OK;
    }
    if (field->known->type == PROTOBUF_C_TYPE_FLOAT || field->known->type == PROTOBUF_C_TYPE_DOUBLE) {
        OQ_TRY(oq_file_read(importer->image.file, field->offset, *into, (size_t)field->size, err));
        *into += field->size;
        return ONNXQ_OK;
    }
    const uint8_t *at = oq_image_at(&importer->image, field->offset), *end = at + field->size;
    while (at < end) {
        uint64_t value = 0;
        at += oq_varint_read(at, (size_t)(end - at), &value);
        memcpy(*into, &value, width);
        *into += width;
    }
    return ONNXQ_OK;
}

static oq_status import_numbers(oq_importer *importer, const oq_part *part, const typed_form *form,
                                oq_constant *constant, oq_error *err) {
    const size_t size = form->width * form->entries;
    uint8_t *bytes = oq_mem_alloc(importer->model->mem, size, err);
    if (!bytes) return ONNXQ_NO_MEMORY;
    oq_status status = ONNXQ_OK;
    uint8_t *into = bytes;
    for (size_t i = 0; i < part->apart_count; i++)
        OQ_TRY_DONE(take_entries(importer, &part->apart[i], form->width, &into, err));
    if (form->packed || !oq_dtype_is_sub_byte(constant->dtype)) {
        status = unpack_bytes(importer, bytes, size, constant, err);
    } else {
        OQ_TRY_DONE(
            oq_tensor_new(importer->model->mem, constant->dtype, &constant->shape, &constant->tensor, err));
        for (size_t i = 0; i < size; i++) ((uint8_t *)constant->tensor.data)[i] = bytes[i] & 0x3f;
    }
done:
    oq_mem_free(importer->model->mem, bytes);
    return status;
}

static oq_status import_strings(oq_importer *importer, oq_part *part, oq_constant *constant, oq_error *err) {
    const size_t count = part->apart_count;
    const char **texts = oq_arena_calloc(&part->scratch, count, sizeof *texts, err);
    size_t *lengths = oq_arena_calloc(&part->scratch, count, sizeof *lengths, err);
    if (!texts || !lengths) return ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        texts[i] = (const char *)oq_image_at(&importer->image, part->apart[i].offset);
        lengths[i] = (size_t)part->apart[i].size;
    }
    return oq_tensor_new_strings(importer->model->mem, &constant->shape, texts, lengths, &constant->tensor,
                                 err);
}

static oq_status import_typed(oq_importer *importer, oq_part *part, oq_constant *constant, oq_error *err) {
    const typed_form form = form_of(constant->dtype, (size_t)oq_shape_count(&constant->shape));
    size_t entries = 0;
    for (size_t i = 0; i < part->apart_count; i++) {
        const oq_field *field = &part->apart[i];
        if (field->known->offset != form.field)
            return oq_fail(err, ONNXQ_BAD_MODEL, "tensor '%s': %s do not belong into %s", constant->name,
                           oq_dtype_info(constant->dtype)->name, field->known->name);
        entries += count_entries(&importer->image, field);
    }
    // Some files hold the weights elsewhere and leave them out here: an error only for who needs them.
    if (!part->apart_count && form.entries) return ONNXQ_OK;
    if (entries != form.entries) return wrong_size(constant, entries, form.entries, "entries", err);
    if (constant->dtype == ONNXQ_STRING) return import_strings(importer, part, constant, err);
    if (part->apart_count == 1 && oq_image_is_cut(&importer->image, part->apart[0].offset))
        return leave_in_file(importer, &part->apart[0], constant);
    return import_numbers(importer, part, &form, constant, err);
}

static oq_status import_elements(oq_importer *importer, oq_part *part, oq_constant *constant, oq_error *err) {
    const Onnx__TensorProto *plain = part->plain;
    if (plain->has_data_location && plain->data_location == ONNX__TENSOR_PROTO__DATA_LOCATION__EXTERNAL) {
        if (constant->dtype == ONNXQ_STRING)
            return oq_fail(err, ONNXQ_BAD_MODEL, "tensor '%s': strings cannot be external data",
                           constant->name);
        const size_t need = oq_packed_bytes(constant->dtype, (size_t)oq_shape_count(&constant->shape));
        const oq_status status =
            oq_import_external(importer, plain->external_data, plain->n_external_data, need, constant, err);
        if (status != ONNXQ_OK) oq_error_prefix(err, "tensor '%s': ", constant->name);
        return status;
    }
    const oq_field *raw = NULL;
    for (size_t i = 0; i < part->apart_count; i++)
        if (part->apart[i].known->offset == offsetof(Onnx__TensorProto, raw_data)) raw = &part->apart[i];
    if (!raw) return import_typed(importer, part, constant, err);
    if (part->apart_count > 1)
        return oq_fail(err, ONNXQ_BAD_MODEL, "tensor '%s' holds its elements twice", constant->name);
    return import_raw(importer, raw, constant, err);
}

oq_status oq_import_constant(oq_importer *importer, const oq_field *field, oq_constant *constant,
                             oq_error *err) {
    oq_part part;
    oq_status status;
    OQ_TRY_DONE(oq_part_read(importer, &tensor_layout, field, &part, err));
    const Onnx__TensorProto *plain = part.plain;
    constant->name = oq_import_text(importer, plain->name, err);
    constant->doc = oq_import_text(importer, plain->doc_string, err);
    if (!constant->name || !constant->doc) {
        status = ONNXQ_NO_MEMORY;
        goto done;
    }
    OQ_TRY_DONE(import_dims(plain, constant, err));
    OQ_TRY_DONE(import_elements(importer, &part, constant, err));
    constant->origin = oq_import_origin(field, part.carried);
done:
    oq_part_release(&part);
    if (status != ONNXQ_OK) {
        oq_error_at_tensor(err, constant->name ? constant->name : "");
        if (err && !err->offset) err->offset = field->start;
    }
    return status;
}

// The constant that one of the two messages goes into; a second message for it replaces the first.
static oq_status fill_slot(oq_importer *importer, const oq_field *field, oq_constant **slot, oq_error *err) {
    OQ_TRY(oq_constant_new(importer->model, slot, err));
    return oq_import_constant(importer, field, *slot, err);
}

static oq_status fill_sparse(oq_importer *importer, const oq_part *part, oq_sparse *sparse, oq_error *err) {
    const Onnx__SparseTensorProto *plain = part->plain;
    if (plain->n_dims > OQ_MAX_RANK)
        return oq_fail(err, ONNXQ_UNSUPPORTED, "a sparse tensor of %zu dimensions; at most %d are supported",
                       plain->n_dims, OQ_MAX_RANK);
    for (size_t i = 0; i < plain->n_dims; i++)
        if (plain->dims[i] < 0)
            return oq_fail(err, ONNXQ_BAD_MODEL, "a sparse tensor with a negative dimension");
    sparse->shape = oq_shape_of((int)plain->n_dims, plain->dims);
    for (size_t i = 0; i < part->apart_count; i++) {
        const bool values = part->apart[i].known->offset == offsetof(Onnx__SparseTensorProto, values);
        OQ_TRY(fill_slot(importer, &part->apart[i], values ? &sparse->values : &sparse->indices, err));
    }
    if (sparse->values && sparse->indices) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL, "a sparse tensor without values or without indices");
}

oq_status oq_import_sparse(oq_importer *importer, const oq_field *field, oq_sparse **out, oq_error *err) {
    oq_sparse *sparse = oq_arena_calloc(&importer->model->arena, 1, sizeof *sparse, err);
    if (!sparse) return ONNXQ_NO_MEMORY;
    oq_part part;
    oq_status status = oq_part_read(importer, &sparse_layout, field, &part, err);
    if (status == ONNXQ_OK) status = fill_sparse(importer, &part, sparse, err);
    oq_part_release(&part);
    if (status != ONNXQ_OK && err && !err->offset) err->offset = field->start;
    *out = sparse;
    return status;
}

// Linear place of entry `k` in the dense tensor, or -1 when its index is outside.
static int64_t place_of(const oq_sparse *sparse, const oq_tensor *indices, int64_t k) {
    const int64_t total = oq_shape_count(&sparse->shape);
    if (indices->shape.rank < 2) {
        const int64_t place = oq_tensor_get_i64(indices, k);
        return place >= 0 && place < total ? place : -1;
    }
    int64_t place = 0;
    for (int axis = 0; axis < sparse->shape.rank; axis++) {
        const int64_t index = oq_tensor_get_i64(indices, k * sparse->shape.rank + axis);
        if (index < 0 || index >= sparse->shape.dim[axis]) return -1;
        place = place * sparse->shape.dim[axis] + index;
    }
    return place;
}

static oq_status check_sparse(const oq_sparse *sparse, const oq_tensor *values, const oq_tensor *indices,
                              oq_error *err) {
    const int64_t entries = oq_tensor_count(values);
    const int64_t each = indices->shape.rank < 2 ? 1 : sparse->shape.rank;
    size_t dense = 0;
    if (indices->dtype == ONNXQ_INT64 && values->dtype != ONNXQ_STRING &&
        oq_tensor_count(indices) == entries * each) {
        OQ_TRY(oq_shape_check(&sparse->shape, oq_dtype_bytes(values->dtype), &dense, err));
        if (dense <= LARGEST_DENSE) return ONNXQ_OK;
        return oq_fail(err, ONNXQ_UNSUPPORTED,
                       "sparse tensor '%s': %zu bytes when written out, at most %zu are done",
                       sparse->values->name, dense, LARGEST_DENSE);
    }
    return oq_fail(err, ONNXQ_BAD_MODEL, "sparse tensor '%s': %lld values do not pair with its indices",
                   sparse->values->name, (long long)entries);
}

oq_status oq_import_densify(oq_importer *importer, const oq_sparse *sparse, oq_tensor *out, oq_error *err) {
    oq_mem *mem = importer->model->mem;
    oq_tensor values = {0}, indices = {0};
    oq_status status;
    OQ_TRY_DONE(oq_constant_load(mem, sparse->values, &values, err));
    OQ_TRY_DONE(oq_constant_load(mem, sparse->indices, &indices, err));
    OQ_TRY_DONE(check_sparse(sparse, &values, &indices, err));
    OQ_TRY_DONE(oq_tensor_new(mem, values.dtype, &sparse->shape, out, err));
    memset(out->data, 0, oq_tensor_bytes(out));
    const size_t bytes = oq_dtype_bytes(values.dtype);
    for (int64_t k = 0; k < oq_tensor_count(&values); k++) {
        const int64_t place = place_of(sparse, &indices, k);
        if (place < 0) {
            status = oq_fail(err, ONNXQ_BAD_MODEL, "sparse tensor '%s': index %lld is outside of its shape",
                             sparse->values->name, (long long)k);
            goto done;
        }
        memcpy((uint8_t *)out->data + (size_t)place * bytes, (const uint8_t *)values.data + (size_t)k * bytes,
               bytes);
    }
done:
    if (status != ONNXQ_OK) oq_tensor_release(out);
    oq_tensor_release(&values);
    oq_tensor_release(&indices);
    return status;
}
