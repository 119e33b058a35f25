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

static oq_status add_sample(const oq_dataset *data, oq_value *values, oq_hash *sum, oq_error *err) {
    oq_hasher *hasher = NULL;
    const oq_status status = oq_hasher_new(data->mem, &hasher, err);
    for (size_t i = 0; i < data->input_count; i++) {
        if (hasher) oq_hasher_add(hasher, data->inputs[i].name, strlen(data->inputs[i].name) + 1);
        if (hasher) add_value(hasher, &values[i]);
        oq_value_release(&values[i]);
    }
    if (status != ONNXQ_OK) return status;
    const oq_hash hash = oq_hasher_end(hasher);
    sum->high += hash.high;
    sum->low += hash.low;
    return ONNXQ_OK;
}

static oq_status hash_part(const oq_dataset *data, const data_part *part, oq_value *values, oq_hash *sum,
                           oq_error *err) {
    const bool by_row = part->kind == PART_ROWS;
    const size_t count = by_row ? (size_t)oq_part_rows_total(data, part) : part->count;
    for (size_t i = 0; i < count; i++) {
        memset(values, 0, data->input_count * sizeof *values);
        const oq_status status = by_row ? oq_part_rows_sample(data, part, (int64_t)i, values, err)
                                        : oq_dataset_get(data, part->begin + i, values, err);
        if (status != ONNXQ_OK) {
            for (size_t k = 0; k < data->input_count; k++) oq_value_release(&values[k]);
            return status;
        }
        OQ_TRY(add_sample(data, values, sum, err));
    }
    return ONNXQ_OK;
}

oq_status oq_dataset_hash(const oq_dataset *data, oq_hash *out, oq_error *err) {
    *out = (oq_hash){0};
    oq_value *values = oq_mem_calloc(data->mem, data->input_count + 1, sizeof *values, err);
    if (!values) return ONNXQ_NO_MEMORY;
    oq_status status = ONNXQ_OK;
    for (size_t p = 0; p < data->part_count && status == ONNXQ_OK; p++)
        status = hash_part(data, &data->parts[p], values, out, err);
    oq_mem_free(data->mem, values);
    return status;
}
