// The end of an integer product: sums, bias and scales to float32 or to 8-bit integers.
#include "kernels/rows.h"
#include "run/fuse_match.h"

// What is added to every row of sums [N].
typedef struct columns {
    size_t count;
    const int32_t *bias; // [N], or NULL
} columns;

static bool fits_columns(const oq_tensor *tensor, size_t count) {
    return oq_tensor_count(tensor) == 1 || oq_tensor_count(tensor) == (int64_t)count;
}

// factor[j] = sa * sb[j], divided by sy when the result is quantized: in float32, left to right.
static oq_status make_columns(oq_run_context *context, columns *c, float *factor, oq_error *err) {
    const oq_tensor *sa = oq_in(context, 1), *sb = oq_in(context, 2), *bias = oq_in(context, 3);
    const oq_tensor *sy = oq_in(context, 4);
    if (!fits_columns(sb, c->count) || (bias && oq_tensor_count(bias) != (int64_t)c->count))
        return oq_fail(err, ONNXQ_BAD_MODEL, "scale and bias must have one value or %zu, one for each column",
                       c->count);
    const float *column_scale = sb->data;
    const bool one = oq_tensor_count(sb) == 1;
    for (size_t j = 0; j < c->count; j++) {
        factor[j] = *(const float *)sa->data * column_scale[one ? 0 : j];
        if (sy) factor[j] /= *(const float *)sy->data;
    }
    c->bias = bias ? bias->data : NULL;
    return ONNXQ_OK;
}

static const int32_t *row_sums(const columns *c, const int32_t *sums, int32_t *row) {
    if (!c->bias) return sums;
    // Wraps like every int32 accumulator; who wrote the model made sure that it does not.
    for (size_t j = 0; j < c->count; j++) row[j] = (int32_t)((uint32_t)sums[j] + (uint32_t)c->bias[j]);
    return row;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *sums = oq_in(context, 0), *zero = oq_in(context, 5);
    const int rank = sums->shape.rank;
    columns c = {.count = rank ? (size_t)sums->shape.dim[rank - 1] : 1};
    float *factor = oq_scratch(context, (c.count + 1) * sizeof *factor, err);
    int32_t *row = oq_scratch(context, (c.count + 1) * sizeof *row, err);
    if (!factor || !row) return ONNXQ_NO_MEMORY;
    OQ_TRY(make_columns(context, &c, factor, err));
    oq_tensor *out;
    OQ_TRY(oq_out(context, 0, zero ? zero->dtype : ONNXQ_FLOAT, &sums->shape, &out, err));
    const size_t rows = c.count ? (size_t)oq_tensor_count(sums) / c.count : 0;
    for (size_t i = 0; i < rows; i++) {
        const int32_t *acc = row_sums(&c, (const int32_t *)sums->data + i * c.count, row);
        if (zero) {
            oq_rows_requantize_8(acc, factor, 1, (int32_t)oq_tensor_get_i64(zero, 0),
                                 zero->dtype == ONNXQ_INT8, (unsigned char *)out->data + i * c.count,
                                 c.count);
            continue;
        }
        float *y = (float *)out->data + i * c.count;
        for (size_t j = 0; j < c.count; j++) y[j] = (float)acc[j] * factor[j];
    }
    return ONNXQ_OK;
}

static const oq_type_set types[] = {
    {"T", OQ_T(INT8) | OQ_T(UINT8)}, {"Y", OQ_T(FLOAT) | OQ_T(INT8) | OQ_T(UINT8)}, {0}};

const oq_op_version oq_scale_sums = {
    .since = 1,
    .signature =
        "sums:int32, a_scale:float32, b_scale:float32, bias?:int32, y_scale?:float32, y_zero?:T -> y:Y",
    .types = types,
    .run = run,
};
