// Made-up samples: a counter generator, so that any sample can be made alone and on any machine.
#include "data/dataset.h"

#include <math.h>
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

// Uniform in -1..1.
static float uniform(uint64_t key) { return (float)(int32_t)(scramble(key) >> 32) * 0x1p-31F; }

// Images have as much deviation at every scale: octaves of lattices, linear between their points, of
// deviation 1 together. `image` and `channel` are keys: channels of an image share most of it.
static float smooth(uint64_t image, uint64_t channel, int64_t y, int64_t x, int octaves) {
    float sum = 0;
    for (int o = 0; o < octaves; o++) {
        const int64_t cell = INT64_C(1) << o, row = y >> o, column = x >> o;
        const float down = (float)(y - row * cell) / (float)cell,
                    right = (float)(x - column * cell) / (float)cell;
        for (int corner = 0; corner < 4; corner++) {
            const uint64_t at = (uint64_t)(((row + corner / 2) << 20 | (column + corner % 2)) << 6 | o);
            const float weight = (corner / 2 ? down : 1 - down) * (corner % 2 ? right : 1 - right);
            if (weight > 0)
                sum +=
                    weight * (0.9F * uniform(image + scramble(at)) + 0.44F * uniform(channel + scramble(at)));
        }
    }
    return sum;
}

static bool is_image(const oq_tensor *tensor) {
    const oq_shape *s = &tensor->shape;
    const bool pixels = oq_dtype_info(tensor->dtype)->is_float || tensor->dtype == ONNXQ_UINT8;
    return pixels && s->rank == 4 && s->dim[1] <= 4 && s->dim[2] >= 16 && s->dim[3] >= 16;
}

// Where the numbers of an input lie, and how they are rounded.
typedef struct place {
    bool bounded, whole;
    double low, high;
} place;

static place place_of(const data_input *input) {
    const bool whole = !oq_dtype_info(input->type.dtype)->is_float;
    if (input->bounded) return (place){true, whole, input->low, input->high};
    return (place){whole, whole, 0, input->type.dtype == ONNXQ_UINT8 ? 255 : 0}; // of images alone
}

// A number of mean 0 and deviation 1: within bounds, their distance has four deviations, and none lies
// beyond.
static float put(const place *p, float x) {
    if (!p->bounded) return x;
    const double y = fmin(fmax((p->low + p->high) / 2 + (p->high - p->low) / 4 * (double)x, p->low), p->high);
    return (float)(p->whole ? rint(y) : y);
}

static void fill_image(oq_tensor *tensor, uint64_t key, const place *p) {
    const oq_shape *s = &tensor->shape;
    const size_t bytes = oq_dtype_bytes(tensor->dtype);
    int octaves = 1;
    while (INT64_C(2) << octaves <= s->dim[2] && octaves < 12) octaves++;
    // Deviations: 1/3 of a lattice's points, 4/9 of that on average between them.
    const float scale = 1 / sqrtf(1 / 3.0F + (float)(octaves - 1) * 4 / 27.0F);
    char *to = tensor->data;
    for (int64_t plane = 0; plane < s->dim[0] * s->dim[1]; plane++) {
        const uint64_t image = scramble(key + (uint64_t)(plane / s->dim[1])),
                       channel = scramble(image + 1 + (uint64_t)(plane % s->dim[1]));
        for (int64_t y = 0; y < s->dim[2]; y++)
            for (int64_t x = 0; x < s->dim[3]; x++, to += bytes) {
                const float value = put(p, scale * smooth(image, channel, y, x, octaves));
                oq_store_f32(tensor->dtype, &value, to, 1);
            }
    }
}

// Floats are normal, integers uniform.
static void fill(oq_tensor *tensor, uint64_t key, const place *p, int64_t domain) {
    enum { BLOCK = 256 };
    const size_t count = (size_t)oq_tensor_count(tensor);
    const bool is_float = oq_dtype_info(tensor->dtype)->is_float;
    const float first = p->bounded && !is_float ? (float)ceil(p->low) : 0;
    for (size_t done = 0; done < count; done += BLOCK) {
        const size_t length = count - done < BLOCK ? count - done : BLOCK;
        float block[BLOCK];
        for (size_t i = 0; i < length; i++) {
            const uint64_t counter = scramble(key) + done + i;
            block[i] =
                is_float ? put(p, normal(counter)) : first + (float)(scramble(counter) % (uint64_t)domain);
        }
        oq_store_f32(tensor->dtype, block, (char *)tensor->data + done * oq_dtype_bytes(tensor->dtype),
                     length);
    }
}

// How many integers an input can have.
static int64_t domain_of(const data_input *input) {
    if (input->type.dtype == ONNXQ_BOOL) return 2;
    if (!input->bounded) return input->domain;
    return (int64_t)fmin(floor(input->high) - ceil(input->low), 0x1p24 - 1) + 1; // floats hold so many
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
        const place p = place_of(input);
        if (is_image(&tensor))
            fill_image(&tensor, key, &p);
        else
            fill(&tensor, key, &p, domain_of(input));
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
