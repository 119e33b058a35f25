// Values in files of their own: TensorProto, SequenceProto, MapProto, OptionalProto to run-time values and
// back.
#include "onnx/export.h"
#include "onnx/import.h"
#include "onnx/onnx.h"

#include <string.h>

static const oq_layout sequence_layout = {.message = &onnx__sequence_proto__descriptor,
                                          .apart = {offsetof(Onnx__SequenceProto, tensor_values),
                                                    offsetof(Onnx__SequenceProto, sparse_tensor_values),
                                                    offsetof(Onnx__SequenceProto, sequence_values),
                                                    offsetof(Onnx__SequenceProto, map_values),
                                                    offsetof(Onnx__SequenceProto, optional_values)}};

static const oq_layout optional_layout = {
    .message = &onnx__optional_proto__descriptor,
    .apart = {offsetof(Onnx__OptionalProto, tensor_value), offsetof(Onnx__OptionalProto, sparse_tensor_value),
              offsetof(Onnx__OptionalProto, sequence_value), offsetof(Onnx__OptionalProto, map_value),
              offsetof(Onnx__OptionalProto, optional_value)}};

static const oq_layout map_layout = {.message = &onnx__map_proto__descriptor,
                                     .apart = {offsetof(Onnx__MapProto, values)}};

// --- reading ---

static oq_status read_value(oq_importer *importer, const ProtobufCMessageDescriptor *message,
                            const oq_field *field, oq_value *out, oq_error *err);

static oq_status read_tensor(oq_importer *importer, const oq_field *field, oq_value *out, oq_error *err) {
    oq_constant *constant = NULL;
    oq_tensor tensor = {0};
    OQ_TRY(oq_constant_new(importer->model, &constant, err));
    OQ_TRY(oq_import_constant(importer, field, constant, err));
    OQ_TRY(oq_constant_load(importer->model->mem, constant, &tensor, err));
    *out = oq_value_of_tensor(tensor);
    return ONNXQ_OK;
}

static oq_status read_sparse(oq_importer *importer, const oq_field *field, oq_value *out, oq_error *err) {
    oq_sparse *sparse = NULL;
    oq_tensor tensor = {0};
    OQ_TRY(oq_import_sparse(importer, field, &sparse, err));
    OQ_TRY(oq_import_densify(importer, sparse, &tensor, err));
    *out = oq_value_of_tensor(tensor);
    return ONNXQ_OK;
}

// A list of the values of all parts.
static oq_status read_list(oq_importer *importer, const oq_layout *layout, const oq_field *field,
                           oq_value_kind kind, oq_value *out, oq_error *err) {
    oq_part part;
    oq_list *list = NULL;
    oq_status status;
    OQ_TRY_DONE(oq_part_read(importer, layout, field, &part, err));
    if (kind == OQ_VALUE_OPTIONAL && part.apart_count > 1) {
        status = oq_fail(err, ONNXQ_BAD_DATA, "an optional value with %zu contents", part.apart_count);
        goto done;
    }
    list = oq_list_new(importer->model->mem, part.apart_count, err);
    if (!list) status = ONNXQ_NO_MEMORY;
    for (size_t i = 0; i < part.apart_count && status == ONNXQ_OK; i++)
        status = read_value(importer, part.apart[i].known->descriptor, &part.apart[i], &list->items[i], err);
    if (list) *out = (oq_value){.kind = kind, .list = list};
done:
    oq_part_release(&part);
    if (status != ONNXQ_OK) oq_value_release(out);
    return status;
}

static oq_status read_keys(oq_importer *importer, const Onnx__MapProto *from, oq_value *out, oq_error *err) {
    oq_mem *mem = importer->model->mem;
    oq_tensor tensor = {0};
    if (from->key_type == ONNXQ_STRING) {
        const oq_shape shape = OQ_SHAPE((int64_t)from->n_string_keys);
        const char **texts = oq_mem_calloc(mem, from->n_string_keys, sizeof *texts, err);
        size_t *lengths = oq_mem_calloc(mem, from->n_string_keys, sizeof *lengths, err);
        oq_status status = texts && lengths ? ONNXQ_OK : ONNXQ_NO_MEMORY;
        for (size_t i = 0; i < from->n_string_keys && status == ONNXQ_OK; i++) {
            texts[i] = (const char *)from->string_keys[i].data;
            lengths[i] = from->string_keys[i].len;
        }
        if (status == ONNXQ_OK) status = oq_tensor_new_strings(mem, &shape, texts, lengths, &tensor, err);
        oq_mem_free(mem, texts);
        oq_mem_free(mem, lengths);
        OQ_TRY(status);
    } else {
        const bool known = from->key_type > 0 && from->key_type < ONNXQ_DTYPE_COUNT;
        if (!known || !oq_dtype_info((oq_dtype)from->key_type)->is_integer)
            return oq_fail(err, ONNXQ_BAD_DATA,
                           "a map with keys of data type %d; strings or integers are allowed",
                           from->key_type);
        const oq_shape shape = OQ_SHAPE((int64_t)from->n_keys);
        OQ_TRY(oq_tensor_new(mem, (oq_dtype)from->key_type, &shape, &tensor, err));
        oq_store_i64(tensor.dtype, from->keys, tensor.data, from->n_keys);
    }
    *out = oq_value_of_tensor(tensor);
    return ONNXQ_OK;
}

// A list of the keys and the sequence of values.
static oq_status read_map(oq_importer *importer, const oq_field *field, oq_value *out, oq_error *err) {
    oq_part part;
    oq_status status;
    OQ_TRY_DONE(oq_part_read(importer, &map_layout, field, &part, err));
    oq_list *list = oq_list_new(importer->model->mem, 2, err);
    status = list ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    if (!list) goto done;
    *out = (oq_value){.kind = OQ_VALUE_MAP, .list = list};
    OQ_TRY_DONE(read_keys(importer, part.plain, &list->items[0], err));
    if (part.apart_count != 1) {
        status = oq_fail(err, ONNXQ_BAD_DATA, "a map with %zu lists of values", part.apart_count);
        goto done;
    }
    OQ_TRY_DONE(
        read_value(importer, &onnx__sequence_proto__descriptor, &part.apart[0], &list->items[1], err));
    if ((size_t)oq_tensor_count(&list->items[0].tensor) != list->items[1].list->count)
        status = oq_fail(err, ONNXQ_BAD_DATA, "a map of %lld keys and %zu values",
                         (long long)oq_tensor_count(&list->items[0].tensor), list->items[1].list->count);
done:
    oq_part_release(&part);
    if (status != ONNXQ_OK) oq_value_release(out);
    return status;
}

static oq_status read_value(oq_importer *importer, const ProtobufCMessageDescriptor *message,
                            const oq_field *field, oq_value *out, oq_error *err) {
    if (message == &onnx__tensor_proto__descriptor) return read_tensor(importer, field, out, err);
    if (message == &onnx__sparse_tensor_proto__descriptor) return read_sparse(importer, field, out, err);
    if (message == &onnx__sequence_proto__descriptor)
        return read_list(importer, &sequence_layout, field, OQ_VALUE_SEQUENCE, out, err);
    if (message == &onnx__optional_proto__descriptor)
        return read_list(importer, &optional_layout, field, OQ_VALUE_OPTIONAL, out, err);
    return read_map(importer, field, out, err);
}

static const ProtobufCMessageDescriptor *message_of(oq_value_kind kind) {
    switch (kind) {
    case OQ_VALUE_SEQUENCE: return &onnx__sequence_proto__descriptor;
    case OQ_VALUE_OPTIONAL: return &onnx__optional_proto__descriptor;
    case OQ_VALUE_MAP: return &onnx__map_proto__descriptor;
    default: return &onnx__tensor_proto__descriptor;
    }
}

oq_status oq_onnx_parse_value(oq_mem *mem, const uint8_t *bytes, size_t count, oq_value_kind kind,
                              const char *name, oq_value *out, oq_error *err) {
    *out = (oq_value){0};
    oq_file *file = NULL;
    oq_importer importer = {0}; // its model serves as arena only
    oq_status status;
    OQ_TRY_DONE(oq_file_of_bytes(mem, name, bytes, count, &file, err));
    OQ_TRY_DONE(oq_model_new(mem, &importer.model, err));
    oq_map_init(&importer.externals, mem);
    OQ_TRY_DONE(oq_image_scan(mem, file, message_of(kind), &importer.image, err));
    const oq_field whole = {.size = count};
    status = read_value(&importer, message_of(kind), &whole, out, err);
    if (status != ONNXQ_OK && err && !err->file[0]) oq_error_prefix(err, "'%s': ", name);
done:
    if (status == ONNXQ_BAD_MODEL) { // the same faults, but of data
        status = ONNXQ_BAD_DATA;
        if (err) err->status = status;
    }
    if (status != ONNXQ_OK) oq_error_at_file(err, name);
    oq_map_release(&importer.externals);
    oq_image_release(&importer.image);
    oq_model_free(importer.model);
    oq_file_release(file);
    return status;
}

// --- writing ---

static oq_status write_value(oq_exporter *exporter, uint32_t number, const oq_value *value, const char *name);

// The fields of a TensorProto, framed as field `number` unless that is 0. The constant must outlive the rope.
static oq_status write_tensor(oq_exporter *exporter, uint32_t number, const oq_tensor *tensor,
                              const char *name) {
    oq_constant *constant = oq_arena_calloc(&exporter->scratch, 1, sizeof *constant, exporter->err);
    if (!constant) return ONNXQ_NO_MEMORY;
    constant->dtype = tensor->dtype;
    constant->shape = tensor->shape;
    constant->tensor = *tensor;
    oq_export_new_constant(exporter, number, constant, name);
    return ONNXQ_OK;
}

// The number of the list, or of the member, that takes values of a kind, and ONNX's number for the kind.
static uint32_t member_of(oq_value_kind holder, oq_value_kind item, int32_t *type) {
    const bool sequence = holder == OQ_VALUE_SEQUENCE;
    switch (item) {
    case OQ_VALUE_TENSOR:
        *type = ONNX__SEQUENCE_PROTO__DATA_TYPE__TENSOR;
        return sequence ? OQ_FIELD(sequence_proto, tensor_values) : OQ_FIELD(optional_proto, tensor_value);
    case OQ_VALUE_SEQUENCE:
        *type = ONNX__SEQUENCE_PROTO__DATA_TYPE__SEQUENCE;
        return sequence ? OQ_FIELD(sequence_proto, sequence_values)
                        : OQ_FIELD(optional_proto, sequence_value);
    case OQ_VALUE_MAP:
        *type = ONNX__SEQUENCE_PROTO__DATA_TYPE__MAP;
        return sequence ? OQ_FIELD(sequence_proto, map_values) : OQ_FIELD(optional_proto, map_value);
    default:
        *type = ONNX__SEQUENCE_PROTO__DATA_TYPE__OPTIONAL;
        return sequence ? OQ_FIELD(sequence_proto, optional_values)
                        : OQ_FIELD(optional_proto, optional_value);
    }
}

static oq_status write_list(oq_exporter *exporter, const oq_value *value, const char *name) {
    const oq_list *list = value->list;
    int32_t type = ONNX__SEQUENCE_PROTO__DATA_TYPE__TENSOR;
    const uint32_t number =
        member_of(value->kind, list->count ? list->items[0].kind : OQ_VALUE_TENSOR, &type);
    if (value->kind == OQ_VALUE_SEQUENCE) {
        Onnx__SequenceProto head = ONNX__SEQUENCE_PROTO__INIT;
        head.name = oq_export_text(name);
        head.has_elem_type = true;
        head.elem_type = type;
        oq_rope_add_message(&exporter->rope, &head.base);
    } else {
        Onnx__OptionalProto head = ONNX__OPTIONAL_PROTO__INIT;
        head.name = oq_export_text(name);
        head.has_elem_type = true;
        head.elem_type = type;
        oq_rope_add_message(&exporter->rope, &head.base);
    }
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].kind != list->items[0].kind)
            return oq_fail(exporter->err, ONNXQ_BAD_DATA, "a sequence of values of different kinds");
        OQ_TRY(write_value(exporter, number, &list->items[i], ""));
    }
    return ONNXQ_OK;
}

static oq_status write_map(oq_exporter *exporter, const oq_value *value, const char *name) {
    const oq_tensor *keys = &value->list->items[0].tensor;
    const size_t count = (size_t)oq_tensor_count(keys);
    Onnx__MapProto head = ONNX__MAP_PROTO__INIT;
    head.name = oq_export_text(name);
    head.has_key_type = true;
    head.key_type = (int32_t)keys->dtype;
    if (keys->dtype == ONNXQ_STRING) {
        head.n_string_keys = count;
        head.string_keys =
            oq_arena_calloc(&exporter->scratch, count, sizeof *head.string_keys, exporter->err);
        if (!head.string_keys) return ONNXQ_NO_MEMORY;
        for (size_t i = 0; i < count; i++)
            head.string_keys[i].data =
                (uint8_t *)oq_tensor_string(keys, (int64_t)i, &head.string_keys[i].len);
    } else {
        head.n_keys = count;
        head.keys = oq_arena_calloc(&exporter->scratch, count, sizeof *head.keys, exporter->err);
        if (!head.keys) return ONNXQ_NO_MEMORY;
        oq_load_i64(keys->dtype, keys->data, head.keys, count);
    }
    oq_rope_add_message(&exporter->rope, &head.base);
    return write_value(exporter, OQ_FIELD(map_proto, values), &value->list->items[1], "");
}

// `number` 0: the value is the whole file, without a frame.
static oq_status write_value(oq_exporter *exporter, uint32_t number, const oq_value *value,
                             const char *name) {
    if (value->kind == OQ_VALUE_TENSOR) return write_tensor(exporter, number, &value->tensor, name);
    const size_t mark = number ? oq_rope_open(&exporter->rope, number) : 0;
    if (value->kind == OQ_VALUE_MAP)
        OQ_TRY(write_map(exporter, value, name));
    else
        OQ_TRY(write_list(exporter, value, name));
    if (number) oq_rope_close(&exporter->rope, mark);
    return oq_rope_check(&exporter->rope, exporter->err);
}

oq_status oq_onnx_format_value(const oq_value *value, const char *name, oq_text *into, oq_error *err) {
    if (value->kind == OQ_VALUE_NONE) return oq_fail(err, ONNXQ_BAD_DATA, "'%s' has no value to write", name);
    oq_exporter exporter = {.err = err};
    oq_arena_init(&exporter.scratch, into->mem);
    oq_rope_init(&exporter.rope, into->mem);
    oq_status status = write_value(&exporter, 0, value, name);
    if (status == ONNXQ_OK) status = oq_rope_format(&exporter.rope, into, err);
    oq_rope_release(&exporter.rope);
    oq_arena_release(&exporter.scratch);
    return status;
}
