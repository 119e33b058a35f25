// Scales and zero points of the quantized operators.
#include "ops/lib/qparam.h"

static oq_status read_zeros(oq_run_context *context, const oq_tensor *zero, size_t count, const int32_t **out,
                            oq_error *err) {
    const bool one = !zero || oq_tensor_count(zero) == 1;
    void *block = NULL;
    OQ_TRY(oq_scratch_array(context, count, sizeof(int32_t), &block, err));
    int32_t *values = block;
    for (size_t i = 0; i < count; i++)
        values[i] = zero ? (int32_t)oq_tensor_get_i64(zero, one ? 0 : (int64_t)i) : 0;
    *out = values;
    return ONNXQ_OK;
}

static oq_status read_scales(oq_run_context *context, const oq_tensor *scale, size_t count, const float **out,
                             oq_error *err) {
    const void *values = NULL;
    void *block = NULL;
    OQ_TRY(oq_array_in(context, scale, OQ_WORK_F32, &values, err));
    *out = values;
    if ((size_t)oq_tensor_count(scale) == count) return ONNXQ_OK;
    OQ_TRY(oq_scratch_array(context, count, sizeof(float), &block, err));
    for (size_t i = 0; i < count; i++) ((float *)block)[i] = *(const float *)values;
    *out = block;
    return ONNXQ_OK;
}

oq_status oq_qparams_read(oq_run_context *context, size_t scale, size_t zero, const char *what,
                          oq_qparams *out, oq_error *err) {
    const oq_tensor *s = oq_in(context, scale);
    const oq_tensor *z = oq_in(context, zero);
    const int64_t scales = s ? oq_tensor_count(s) : 1;
    const int64_t zeros = z ? oq_tensor_count(z) : 1;
    *out = (oq_qparams){.count = (size_t)(scales > zeros ? scales : zeros)};
    if (!scales || !zeros) return oq_fail(err, ONNXQ_BAD_MODEL, "%s has an empty scale or zero point", what);
    if (scales != zeros && scales != 1 && zeros != 1)
        return oq_fail(err, ONNXQ_BAD_MODEL, "%s has %lld scales but %lld zero points", what,
                       (long long)scales, (long long)zeros);
    if (s) OQ_TRY(read_scales(context, s, out->count, &out->scale, err));
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
