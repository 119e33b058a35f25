// What the data give against what the model wants: names, element types, ranks, sizes.
#include "data/dataset.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

// How elements of one type become another's.
typedef enum conversion { REFUSED, SAME, INTEGERS, WIDENED, BITS } conversion;

static conversion conversion_of(oq_dtype from, oq_dtype to) {
    const oq_dtype_traits *a = oq_dtype_info(from);
    const oq_dtype_traits *b = oq_dtype_info(to);
    if (from == to || to == ONNXQ_UNDEFINED) return SAME;
    if (a->is_integer && b->is_integer) return INTEGERS;
    if (from == ONNXQ_UINT8 && b->is_float && b->bits <= 8) return BITS;
    const bool wider = a->is_float && b->is_float && b->bits > a->bits && b->bits >= 32;
    return wider ? WIDENED : REFUSED;
}

static oq_status wrong(const data_input *input, const char *where, const char *is, const char *remedy,
                       oq_error *err) {
    oq_mem mem = {0};
    oq_text wants;
    oq_text_init(&wants, &mem);
    oq_type_format(&input->type, &wants);
    oq_fail(err, ONNXQ_BAD_DATA, "%s: '%s' is %s, but the model wants %s%s", where, input->name, is,
            oq_text_get(&wants), remedy);
    oq_error_at_tensor(err, input->name);
    oq_text_release(&wants);
    return ONNXQ_BAD_DATA;
}

oq_status oq_match_array(const data_input *input, oq_dtype dtype, const oq_shape *shape, const char *where,
                         oq_error *err) {
    const oq_type *type = &input->type;
    char text[320];
    char sizes[256];
    snprintf(text, sizeof text, "%s%s", oq_dtype_info(dtype)->name,
             oq_shape_format(shape, sizes, sizeof sizes));
    if (type->kind != OQ_TYPE_TENSOR && type->kind != OQ_TYPE_UNKNOWN)
        return wrong(input, where, "an array", "; give such values in test_data_set_* folders", err);
    if (conversion_of(dtype, type->dtype) == REFUSED) {
        char remedy[96];
        snprintf(remedy, sizeof remedy, "; convert it with numpy's astype('%s')",
                 oq_dtype_info(type->dtype)->name);
        return wrong(input, where, text, remedy, err);
    }
    bool fits = type->rank < 0 || type->rank == shape->rank;
    for (int i = 0; fits && i < type->rank; i++)
        fits = !oq_dim_known(type->dim[i]) || type->dim[i].size == shape->dim[i];
    return fits ? ONNXQ_OK : wrong(input, where, text, "", err);
}

// Integers of one width to another, while their values fit.
static oq_status convert_integers(const data_input *input, const oq_tensor *from, oq_tensor *to,
                                  const char *where, oq_error *err) {
    enum { BLOCK = 256 };
    const oq_dtype_traits *want = oq_dtype_info(to->dtype);
    const size_t count = (size_t)oq_tensor_count(from);
    const size_t from_bytes = oq_dtype_bytes(from->dtype);
    const size_t to_bytes = oq_dtype_bytes(to->dtype);
    const bool huge = from->dtype == ONNXQ_UINT64;
    for (size_t done = 0; done < count; done += BLOCK) {
        const size_t length = count - done < BLOCK ? count - done : BLOCK;
        int64_t block[BLOCK];
        oq_load_i64(from->dtype, (const char *)from->data + done * from_bytes, block, length);
        for (size_t i = 0; i < length; i++) {
            // A uint64 beyond int64 was loaded as a negative number.
            const bool beyond = huge && block[i] < 0;
            const bool fits = beyond         ? want->max > INT64_MAX && (uint64_t)block[i] <= want->max
                              : block[i] < 0 ? block[i] >= want->min
                                             : (uint64_t)block[i] <= want->max;
            if (fits) continue;
            oq_fail(err, ONNXQ_BAD_DATA,
                    "%s: '%s' holds %" PRId64 ", which does not fit the %s that the model wants", where,
                    input->name, block[i], want->name);
            oq_error_at_tensor(err, input->name);
            return ONNXQ_BAD_DATA;
        }
        oq_store_i64(to->dtype, block, (char *)to->data + done * to_bytes, length);
    }
    return ONNXQ_OK;
}

static void convert_floats(const oq_tensor *from, oq_tensor *to) {
    enum { BLOCK = 256 };
    const size_t count = (size_t)oq_tensor_count(from);
    for (size_t done = 0; done < count; done += BLOCK) {
        const size_t length = count - done < BLOCK ? count - done : BLOCK;
        double block[BLOCK];
        oq_load_f64(from->dtype, (const char *)from->data + done * oq_dtype_bytes(from->dtype), block,
                    length);
        oq_store_f64(to->dtype, block, (char *)to->data + done * oq_dtype_bytes(to->dtype), length);
    }
}

oq_status oq_match_convert(oq_mem *mem, const data_input *input, oq_tensor *tensor, const char *where,
                           oq_error *err) {
    const conversion how = conversion_of(tensor->dtype, input->type.dtype);
    if (how == SAME) return ONNXQ_OK;
    if (how == BITS) {
        tensor->dtype = input->type.dtype;
        return ONNXQ_OK;
    }
    if (how == REFUSED) return oq_match_array(input, tensor->dtype, &tensor->shape, where, err);
    oq_tensor to;
    OQ_TRY(oq_tensor_new(mem, input->type.dtype, &tensor->shape, &to, err));
    oq_status status = ONNXQ_OK;
    if (how == INTEGERS)
        status = convert_integers(input, tensor, &to, where, err);
    else
        convert_floats(tensor, &to);
    if (status != ONNXQ_OK) {
        oq_tensor_release(&to);
        return status;
    }
    oq_tensor_release(tensor);
    *tensor = to;
    return ONNXQ_OK;
}

// The size that `symbol` has in the values before input `limit`, axis `axis` of it; -1 when it has none yet.
static int64_t bound_size(const oq_dataset *data, const oq_value *values, const char *symbol, size_t limit,
                          int axis) {
    for (size_t i = 0; i <= limit; i++) {
        const oq_type *type = &data->inputs[i].type;
        const int end = i < limit ? type->rank : axis;
        for (int k = 0; values[i].kind == OQ_VALUE_TENSOR && k < end; k++)
            if (type->dim[k].symbol && strcmp(type->dim[k].symbol, symbol) == 0)
                return values[i].tensor.shape.dim[k];
    }
    return -1;
}

oq_status oq_match_symbols(const oq_dataset *data, const oq_value *values, const char *where, oq_error *err) {
    for (size_t i = 0; i < data->input_count; i++) {
        const data_input *input = &data->inputs[i];
        if (values[i].kind != OQ_VALUE_TENSOR) continue;
        for (int axis = 0; axis < input->type.rank; axis++) {
            const char *symbol = input->type.dim[axis].symbol;
            const int64_t size = values[i].tensor.shape.dim[axis];
            const int64_t before = symbol ? bound_size(data, values, symbol, i, axis) : -1;
            if (before < 0 || before == size) continue;
            oq_fail(err, ONNXQ_BAD_DATA,
                    "%s: axis %d of '%s' has size %" PRId64 ", but '%s' was %" PRId64 " before", where, axis,
                    input->name, size, symbol, before);
            oq_error_at_tensor(err, input->name);
            return ONNXQ_BAD_DATA;
        }
    }
    return ONNXQ_OK;
}

// "'a', 'b', 'c' and 7 more"
static void list_names(oq_text *into, const oq_dataset *data, const oq_npz *npz) {
    const size_t count = npz ? oq_npz_count(npz) : data->input_count;
    for (size_t i = 0; i < count && i < 8; i++)
        oq_text_printf(into, "%s'%.60s'", i ? ", " : "", npz ? oq_npz_name(npz, i) : data->inputs[i].name);
    if (count > 8) oq_text_printf(into, " and %zu more", count - 8);
}

static oq_status missing(const oq_dataset *data, const oq_npz *npz, const char *where, const char *name,
                         oq_error *err) {
    oq_text wants;
    oq_text has;
    oq_text_init(&wants, data->mem);
    oq_text_init(&has, data->mem);
    list_names(&wants, data, NULL);
    list_names(&has, data, npz);
    oq_fail(err, ONNXQ_BAD_DATA, "%s holds no array for the input '%s'; it has %s, the model wants %s", where,
            name, oq_text_get(&has), oq_text_get(&wants));
    oq_error_at_tensor(err, name);
    oq_text_release(&wants);
    oq_text_release(&has);
    return ONNXQ_BAD_DATA;
}

oq_status oq_match_names(oq_dataset *noting, const oq_dataset *data, const oq_npz *npz, const char *where,
                         size_t *indices, oq_error *err) {
    for (size_t i = 0; i < data->input_count; i++) {
        indices[i] = oq_npz_find(npz, data->inputs[i].name);
        if (indices[i] == SIZE_MAX) return missing(data, npz, where, data->inputs[i].name, err);
    }
    for (size_t k = 0; noting && k < oq_npz_count(npz); k++) {
        bool used = false;
        for (size_t i = 0; i < data->input_count; i++) used = used || indices[i] == k;
        if (used) continue;
        oq_text_printf(&noting->note, "%s%s: '%s' is no input of the model and is not used",
                       noting->note.length ? "; " : "", where, oq_npz_name(npz, k));
    }
    return ONNXQ_OK;
}
