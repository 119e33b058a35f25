// Sources whose samples are the rows of arrays: FILE.npz, FILE.npy, NAME=FILE.npy.
#include "data/dataset.h"

#include <inttypes.h>
#include <string.h>

// Rows that a run takes of an array, and whether the input lacks the array's first axis.
static void plan_input(const data_input *input, const oq_shape *shape, int64_t *step, bool *drops) {
    const oq_type *type = &input->type;
    *drops = type->rank >= 0 && type->rank == shape->rank - 1;
    const bool fixed = !*drops && type->rank > 0 && oq_dim_known(type->dim[0]);
    *step = fixed && type->dim[0].size > 0 ? type->dim[0].size : 1;
}

// Shape of `rows` rows as the input sees them.
static oq_shape sample_shape(const oq_shape *array, int64_t rows, bool drops) {
    oq_shape shape = *array;
    shape.dim[0] = rows;
    if (!drops) return shape;
    shape.rank--;
    memmove(shape.dim, shape.dim + 1, (size_t)shape.rank * sizeof *shape.dim);
    return shape;
}

static int64_t runs_of(int64_t rows, int64_t step) { return rows / step + (rows % step != 0); }

// Checks the arrays of a part against the inputs and each other, and counts its runs.
static oq_status plan_part(const oq_dataset *data, data_part *part, int64_t *runs, oq_error *err) {
    *runs = 0;
    part->batch = 1;
    for (size_t i = 0; i < data->input_count; i++) {
        const data_input *input = &data->inputs[i];
        const oq_shape *shape = oq_rows_shape(part->rows[i]);
        plan_input(input, shape, &part->steps[i], &part->drops[i]);
        const oq_shape sample = sample_shape(shape, part->steps[i], part->drops[i]);
        OQ_TRY(oq_match_array(input, oq_rows_dtype(part->rows[i]), &sample, part->title, err));
        const int64_t own = runs_of(shape->dim[0], part->steps[i]);
        if (i && own != *runs)
            return oq_fail(err, ONNXQ_BAD_DATA,
                           "%s: '%s' has %" PRId64 " samples, but '%s' has %" PRId64
                           "; axis 0 must have the same size in all arrays",
                           part->title, input->name, own, data->inputs[0].name, *runs);
        *runs = own;
        if (part->steps[i] > part->batch) part->batch = part->steps[i];
    }
    return ONNXQ_OK;
}

oq_status oq_part_of_rows(oq_dataset *data, const char *title, oq_npz *npz, oq_rows **rows, oq_error *err) {
    data_part *part = NULL;
    oq_status status = oq_dataset_add_part(data, PART_ROWS, title, &part, err);
    if (status != ONNXQ_OK) {
        for (size_t i = 0; i < data->input_count; i++) oq_rows_free(rows[i]);
        oq_npz_close(npz);
        return status;
    }
    part->npz = npz; // the part's from here on
    memcpy(part->rows, rows, data->input_count * sizeof(oq_rows *));
    int64_t runs = 0;
    OQ_TRY(plan_part(data, part, &runs, err));
    oq_dataset_end_part(data, (size_t)runs);
    return ONNXQ_OK;
}

oq_status oq_part_of_npz(oq_dataset *data, const char *path, oq_error *err) {
    oq_npz *npz = NULL;
    const char *title = oq_path_name(path);
    OQ_TRY(oq_npz_open(data->mem, path, &npz, err));
    const size_t count = data->input_count;
    size_t *indices = oq_mem_calloc(data->mem, count + 1, sizeof *indices, err);
    oq_rows **rows = oq_mem_calloc(data->mem, count + 1, sizeof(oq_rows *), err);
    oq_status status = indices && rows ? ONNXQ_OK : ONNXQ_NO_MEMORY;
    if (status == ONNXQ_OK) status = oq_match_names(data, data, npz, title, indices, err);
    for (size_t i = 0; i < count && status == ONNXQ_OK; i++)
        status = oq_rows_of_npz(data->mem, npz, indices[i], &rows[i], err);
    if (status == ONNXQ_OK) {
        status = oq_part_of_rows(data, title, npz, rows, err);
    } else {
        for (size_t i = 0; rows && i < count; i++) oq_rows_free(rows[i]);
        oq_npz_close(npz);
    }
    oq_mem_free(data->mem, indices);
    oq_mem_free(data->mem, rows);
    return status;
}

// Rows [first, first + count) of input i as its tensor; beyond the end the last row is repeated.
static oq_status read_input(const oq_dataset *data, const data_part *part, size_t i, int64_t first,
                            int64_t count, oq_value *out, oq_error *err) {
    oq_rows *rows = part->rows[i];
    const int64_t all = oq_rows_shape(rows)->dim[0];
    const oq_shape shape = sample_shape(oq_rows_shape(rows), count, part->drops[i]);
    oq_tensor tensor;
    OQ_TRY(oq_tensor_new(data->mem, oq_rows_dtype(rows), &shape, &tensor, err));
    const size_t bytes = oq_rows_bytes(rows);
    uint8_t *into = tensor.data;
    oq_status status = ONNXQ_OK;
    for (int64_t k = 0; k < count && status == ONNXQ_OK; k++, into += bytes) {
        if (first + k < all)
            status = oq_rows_read(rows, part->row_order ? part->row_order[first + k] : first + k, into, err);
        else
            memcpy(into, into - bytes, bytes); // the first row of a run is always there
    }
    if (status == ONNXQ_OK) status = oq_match_convert(data->mem, &data->inputs[i], &tensor, part->title, err);
    if (status == ONNXQ_OK)
        *out = oq_value_of_tensor(tensor);
    else
        oq_tensor_release(&tensor);
    return status;
}

oq_status oq_part_rows_get(const oq_dataset *data, const data_part *part, size_t run, oq_value *values,
                           oq_error *err) {
    for (size_t i = 0; i < data->input_count; i++)
        OQ_TRY(read_input(data, part, i, (int64_t)run * part->steps[i], part->steps[i], &values[i], err));
    return ONNXQ_OK;
}

int64_t oq_part_rows_total(const oq_dataset *data, const data_part *part) {
    for (size_t i = 0; i < data->input_count; i++)
        if (part->steps[i] == part->batch) return oq_rows_shape(part->rows[i])->dim[0];
    return 0;
}

oq_status oq_part_rows_sample(const oq_dataset *data, const data_part *part, int64_t row, oq_value *values,
                              oq_error *err) {
    for (size_t i = 0; i < data->input_count; i++) {
        // An input that takes fewer rows than the others in a run goes with all samples of that run.
        const int64_t own = part->steps[i] == part->batch ? row : row / part->batch * part->steps[i];
        OQ_TRY(read_input(data, part, i, own, 1, &values[i], err));
    }
    return ONNXQ_OK;
}
