// Range: start, start + delta, ... before limit.
#include "ops/lib/lists.h"
#include "ops/lib/schema.h"

#include <math.h>

static oq_status too_long(oq_error *err) {
    return oq_fail(err, ONNXQ_BAD_MODEL, "Range has a step of 0 or no end");
}

static bool count_i64(int64_t start, int64_t limit, int64_t delta, int64_t *count) {
    *count = 0;
    if (!delta) return false;
    if (delta > 0 ? start >= limit : start <= limit) return true;
    const uint64_t span = delta > 0 ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
    const uint64_t step = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta;
    const uint64_t steps = (span - 1) / step;
    if (steps >= INT64_MAX) return false;
    *count = (int64_t)steps + 1;
    return true;
}

static bool count_f64(double steps, int64_t *count) {
    *count = 0;
    if (!(steps < 0x1p62)) return false; // NaN and infinity too
    if (steps > 0) *count = (int64_t)ceil(steps);
    return true;
}

static oq_status run_integers(oq_run_context *context, const oq_tensor *in[3], oq_error *err) {
    int64_t v[3], count;
    oq_tensor *out;
    for (int k = 0; k < 3; ++k) v[k] = oq_tensor_get_i64(in[k], 0);
    if (!count_i64(v[0], v[1], v[2], &count)) return too_long(err);
    const oq_shape shape = OQ_SHAPE(count);
    OQ_TRY(oq_out(context, 0, in[0]->dtype, &shape, &out, err));
    unsigned char *to = out->data;
    const size_t element = oq_dtype_bytes(out->dtype);
    for (int64_t i = 0; i < count; ++i, to += element) {
        const int64_t value = (int64_t)((uint64_t)v[0] + (uint64_t)i * (uint64_t)v[2]);
        oq_store_i64(out->dtype, &value, to, 1);
    }
    return ONNXQ_OK;
}

// Elements are start + i * delta in the working type: float32 for all floats of at most 32 bits.
static oq_status run_floats(oq_run_context *context, const oq_tensor *in[3], oq_error *err) {
    double v[3];
    int64_t count;
    oq_tensor *out;
    for (int k = 0; k < 3; ++k) v[k] = oq_tensor_get_f64(in[k], 0);
    const bool single = oq_dtype_info(in[0]->dtype)->work == OQ_WORK_F32;
    const double steps = single ? (double)(((float)v[1] - (float)v[0]) / (float)v[2]) : (v[1] - v[0]) / v[2];
    if (v[2] == 0 || !count_f64(steps, &count)) return too_long(err);
    const oq_shape shape = OQ_SHAPE(count);
    OQ_TRY(oq_out(context, 0, in[0]->dtype, &shape, &out, err));
    unsigned char *to = out->data;
    const size_t element = oq_dtype_bytes(out->dtype);
    for (int64_t i = 0; i < count; ++i, to += element) {
        if (single) {
            const float value = (float)v[0] + (float)i * (float)v[2];
            oq_store_f32(out->dtype, &value, to, 1);
        } else {
            const double value = v[0] + (double)i * v[2];
            oq_store_f64(out->dtype, &value, to, 1);
        }
    }
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *in[3];
    for (size_t k = 0; k < 3; ++k) {
        OQ_TRY(oq_need(context, k, &in[k], err));
        if (oq_tensor_count(in[k]) != 1 || in[k]->dtype != in[0]->dtype)
            return oq_fail(err, ONNXQ_BAD_MODEL, "Range takes three single numbers of one type");
    }
    return oq_dtype_info(in[0]->dtype)->is_integer ? run_integers(context, in, err)
                                                   : run_floats(context, in, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    int64_t v[3], count;
    oq_dim length = OQ_DIM_ANONYMOUS;
    bool known = true;
    for (size_t k = 0; k < 3; ++k) known = known && oq_infer_int(context, k, &v[k]);
    if (known) {
        if (!count_i64(v[0], v[1], v[2], &count)) return too_long(err);
        length = oq_dim_of(count);
    } else if (oq_infer_int(context, 0, &v[0]) && oq_infer_int(context, 2, &v[2]) && v[0] == 0 && v[2] == 1) {
        size_t n;
        const oq_dim *limit = oq_infer_elements(context, 1, &n); // Range(0, N, 1) has N elements
        if (limit && n == 1) length = oq_dim_as_size(limit[0]);
    }
    oq_infer_set(context, 0, oq_infer_dtype(context, 0), 1, &length);
    if (!known || count > OQ_INFER_MAX_DIMS) return ONNXQ_OK;
    oq_dim elements[OQ_INFER_MAX_DIMS];
    for (int64_t i = 0; i < count; ++i) elements[i] = oq_dim_number(v[0] + i * v[2]);
    return oq_infer_set_elements(context, 0, elements, (size_t)count, err);
}

#define SIGNATURE "start:T, limit:T, delta:T -> output:T"
static const oq_op_version versions[] = {
    {.since = 11,
     .signature = SIGNATURE,
     .types = OQ_TYPES({"T", OQ_T_FLOAT32 | OQ_T(DOUBLE) | OQ_T(INT16) | OQ_T_INDEX}),
     .infer = infer,
     .run = run},
    {.since = 27,
     .signature = SIGNATURE,
     .types = OQ_TYPES({"T", OQ_T_FLOATS4 | OQ_T(INT16) | OQ_T_INDEX}),
     .attrs = OQ_ATTRS({"stash_type", OQ_ATTR_INT, false}),
     .infer = infer,
     .run = run},
};

OQ_ONNX_OP(Range, versions);
