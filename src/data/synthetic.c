// Made-up samples: a counter generator, so that any sample can be made alone and on any machine.
#include "data/dataset.h"

#include <string.h>

// The finalizer of splitmix64: each counter gives 64 independent-looking bits.
static uint64_t scramble(uint64_t x) {
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

// Nearly normal, deviation 1: twelve uniform numbers of 16 bits, summed exactly.
static float normal(uint64_t key) {
    uint32_t sum = 0;
    for (uint64_t k = 0; k < 3; k++) {
        const uint64_t bits = scramble(key + k * UINT64_C(0xd1342543de82ef95));
        sum += (uint32_t)((bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48));
    }
    return ((float)sum - 6 * 65535.0F) / 65536;
}

static int64_t default_size(const oq_type *type, int axis) {
    if (!axis) return 1;
    return type->rank >= 4 && axis >= type->rank - 2 ? 64 : 16;
}

// The size of an unknown dimension: that of the first one with the same name.
static int64_t chosen_size(const oq_dataset *data, const oq_type *type, int axis) {
    const oq_dim dim = type->dim[axis];
    if (oq_dim_known(dim)) return dim.size;
    for (size_t i = 0; dim.symbol && i < data->input_count; i++) {
        const oq_type *other = &data->inputs[i].type;
        for (int k = 0; k < other->rank; k++)
            if (other->dim[k].symbol && strcmp(other->dim[k].symbol, dim.symbol) == 0)
                return default_size(other, k);
    }
    return default_size(type, axis);
}

static oq_status make_strings(oq_mem *mem, const oq_shape *shape, oq_tensor *out, oq_error *err) {
    const size_t count = (size_t)oq_shape_count(shape);
    const char **texts = oq_mem_calloc(mem, count + 1, sizeof *texts, err);
    size_t *lengths = oq_mem_calloc(mem, count + 1, sizeof *lengths, err);
    oq_status status = texts && lengths ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    for (size_t i = 0; status == ONNXQ_OK && i < count; i++) texts[i] = "a", lengths[i] = 1;
    if (status == ONNXQ_OK) status = oq_tensor_new_strings(mem, shape, texts, lengths, out, err);
    oq_mem_free(mem, texts);
    oq_mem_free(mem, lengths);
    return status;
}

static void fill(oq_tensor *tensor, uint64_t key) {
    enum { BLOCK = 256 };
    const size_t count = (size_t)oq_tensor_count(tensor);
    const bool is_float = oq_dtype_info(tensor->dtype)->is_float;
    for (size_t done = 0; done < count; done += BLOCK) {
        const size_t length = count - done < BLOCK ? count - done : BLOCK;
        float block[BLOCK];
        for (size_t i = 0; i < length; i++) {
            const uint64_t counter = scramble(key) + done + i;
            block[i] = is_float ? normal(counter) : (float)(scramble(counter) & 1);
        }
        oq_store_f32(tensor->dtype, block, (char *)tensor->data + done * oq_dtype_bytes(tensor->dtype),
                     length);
    }
}

static oq_status make_input(const oq_dataset *data, size_t i, uint64_t key, oq_value *out, oq_error *err) {
    const data_input *input = &data->inputs[i];
    if (input->type.kind != OQ_TYPE_TENSOR || input->type.rank < 0 ||
        !oq_dtype_info(input->type.dtype)->bits) {
        if (input->type.kind != OQ_TYPE_TENSOR || input->type.rank < 0 || input->type.dtype != ONNXQ_STRING)
            return oq_fail(err, ONNXQ_BAD_DATA,
                           "no samples can be made up for the input '%s', whose type is not known; give data",
                           input->name);
    }
    oq_shape shape = {.rank = input->type.rank};
    for (int k = 0; k < shape.rank; k++) shape.dim[k] = chosen_size(data, &input->type, k);
    oq_tensor tensor;
    if (input->type.dtype == ONNXQ_STRING) {
        OQ_TRY(make_strings(data->mem, &shape, &tensor, err));
    } else {
        OQ_TRY(oq_tensor_new(data->mem, input->type.dtype, &shape, &tensor, err));
        memset(tensor.data, 0, oq_tensor_bytes(&tensor)); // complex numbers stay zero
        fill(&tensor, key);
    }
    *out = oq_value_of_tensor(tensor);
    return ONNXQ_OK;
}

oq_status oq_part_synthetic_get(const oq_dataset *data, const data_part *part, size_t run, oq_value *values,
                                oq_error *err) {
    for (size_t i = 0; i < data->input_count; i++)
        OQ_TRY(make_input(data, i, part->seed + scramble(run) + scramble(UINT64_C(1000003) * (i + 1)),
                          &values[i], err));
    return ONNXQ_OK;
}
