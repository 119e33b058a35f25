// Scales and zero points of the quantized operators.
#include "ops/lib/qparam.h"

static oq_status read_zeros(oq_run_context *context, const oq_tensor *zero, size_t count, const int32_t **out,
                            oq_error *err) {
    void *block = NULL;
    OQ_TRY(oq_scratch_array(context, count, sizeof(int32_t), &block, err));
    int32_t *values = block;
    for (size_t i = 0; i < count; i++) values[i] = zero ? (int32_t)oq_tensor_get_i64(zero, (int64_t)i) : 0;
    *out = values;
    return ONNXQ_OK;
}

oq_status oq_qparams_read(oq_run_context *context, size_t scale, size_t zero, const char *what,
                          oq_qparams *out, oq_error *err) {
    const oq_tensor *s = oq_in(context, scale);
    const oq_tensor *z = oq_in(context, zero);
    *out = (oq_qparams){.count = 1};
    if (s) out->count = (size_t)oq_tensor_count(s);
    if (!s && z) out->count = (size_t)oq_tensor_count(z);
    if (s && z && oq_tensor_count(z) != (int64_t)out->count) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "%s has %zu scales but %lld zero points", what, out->count,
                       (long long)oq_tensor_count(z));
    }
    if (!out->count) return oq_fail(err, ONNXQ_BAD_MODEL, "%s has an empty scale or zero point", what);
    if (s) {
        const void *values = NULL;
        OQ_TRY(oq_array_in(context, s, OQ_WORK_F32, &values, err));
        out->scale = values;
    }
    return read_zeros(context, z, out->count, &out->zero, err);
}

oq_status oq_qparams_multiplier(oq_run_context *context, const oq_qparams *a, const oq_qparams *b,
                                float y_scale, float **out, oq_error *err) {
    const size_t count = a->count > b->count ? a->count : b->count;
    void *block = NULL;
    OQ_TRY(oq_scratch_array(context, count, sizeof(float), &block, err));
    *out = block;
    for (size_t i = 0; i < count; i++) {
        (*out)[i] = oq_qparams_scale(a, i) * oq_qparams_scale(b, i) / y_scale;
    }
    return ONNXQ_OK;
}
