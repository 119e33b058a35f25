// The hash of a data set: the sum of its samples' hashes, whatever files they are in.
#include "data/dataset.h"

#include <string.h>

static void add_number(oq_hasher *hasher, int64_t number) { oq_hasher_add(hasher, &number, sizeof number); }

static void add_tensor(oq_hasher *hasher, const oq_tensor *tensor) {
    add_number(hasher, tensor->dtype);
    add_number(hasher, tensor->shape.rank);
    for (int i = 0; i < tensor->shape.rank; i++) add_number(hasher, tensor->shape.dim[i]);
    oq_hasher_add(hasher, tensor->data, oq_tensor_bytes(tensor));
}

// Lists nest as deep as the model's types, which its reader bounds.
static void add_value(oq_hasher *hasher, const oq_value *value) {
    add_number(hasher, value->kind);
    if (value->kind == OQ_VALUE_TENSOR) add_tensor(hasher, &value->tensor);
    if (!value->list) return;
    add_number(hasher, (int64_t)value->list->count);
    for (size_t i = 0; i < value->list->count; i++) add_value(hasher, &value->list->items[i]);
}

static oq_status hash_values(const oq_dataset *data, const oq_value *values, oq_hash *out, oq_error *err) {
    oq_hasher *hasher = NULL;
    OQ_TRY(oq_hasher_new(data->mem, &hasher, err));
    for (size_t i = 0; i < data->input_count; i++) {
        oq_hasher_add(hasher, data->inputs[i].name, strlen(data->inputs[i].name) + 1);
        add_value(hasher, &values[i]);
    }
    *out = oq_hasher_end(hasher);
    return ONNXQ_OK;
}

size_t oq_part_samples(const oq_dataset *data, const data_part *part) {
    return part->kind == PART_ROWS ? (size_t)oq_part_rows_total(data, part) : part->count;
}

oq_status oq_part_hash(const oq_dataset *data, const data_part *part, size_t i, oq_hash *out, oq_error *err) {
    oq_value *values = oq_mem_calloc(data->mem, data->input_count + 1, sizeof *values, err);
    if (!values) return ONNXQ_NO_MEMORY;
    oq_status status = part->kind == PART_ROWS ? oq_part_rows_sample(data, part, (int64_t)i, values, err)
                                               : oq_dataset_get(data, part->begin + i, values, err);
    if (status == ONNXQ_OK) status = hash_values(data, values, out, err);
    for (size_t k = 0; k < data->input_count; k++) oq_value_release(&values[k]);
    oq_mem_free(data->mem, values);
    return status;
}

oq_status oq_dataset_hash(const oq_dataset *data, oq_hash *out, oq_error *err) {
    *out = data->hash; // of a data set by content, or 0
    for (size_t p = 0; !data->of && p < data->part_count; p++)
        for (size_t i = 0; i < oq_part_samples(data, &data->parts[p]); i++) {
            oq_hash hash;
            OQ_TRY(oq_part_hash(data, &data->parts[p], i, &hash, err));
            out->high += hash.high;
            out->low += hash.low;
        }
    return ONNXQ_OK;
}
