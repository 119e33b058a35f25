// Grids, ranges to scale and zero point, quantizing, dequantizing, requantizing.
#include "grid/grid.h"

#include <float.h>
#include <math.h>

oq_grid oq_grid_make(int bits, bool is_signed, bool narrow) {
    const int32_t half = INT32_C(1) << (bits - 1);
    return (oq_grid){.bits = bits,
                     .is_signed = is_signed,
                     .narrow = is_signed && narrow,
                     .qmin = is_signed ? -half + narrow : 0,
                     .qmax = is_signed ? half - 1 : 2 * half - 1};
}

oq_dtype oq_grid_carrier(const oq_grid *grid, bool sub_byte) {
    if (sub_byte && grid->bits == 2) return grid->is_signed ? ONNXQ_INT2 : ONNXQ_UINT2;
    if (sub_byte && (grid->bits == 3 || grid->bits == 4)) return grid->is_signed ? ONNXQ_INT4 : ONNXQ_UINT4;
    if (grid->bits <= 8) return grid->is_signed ? ONNXQ_INT8 : ONNXQ_UINT8;
    return grid->is_signed ? ONNXQ_INT16 : ONNXQ_UINT16;
}

// The stored scale of a step; an error when it is no finite number. False in *usable: too small to divide by.
static oq_status store_scale(double step, const char *tensor, float *scale, bool *usable, oq_error *err) {
    if (!(fabs(step) <= (double)FLT_MAX)) { // NaN too
        oq_fail(err, ONNXQ_BAD_DATA,
                isnan(step) || isinf(step)
                    ? "the range of '%s' holds NaN or infinity; look for them in the data"
                    : "the range of '%s' is too wide for a float32 scale",
                tensor);
        oq_error_at_tensor(err, tensor);
        return ONNXQ_BAD_DATA;
    }
    *scale = (float)step;
    *usable = *scale >= FLT_MIN;
    return ONNXQ_OK;
}

oq_status oq_grid_asymmetric(const oq_grid *grid, double min, double max, const char *tensor, oq_qparam *out,
                             oq_error *err) {
    // Written so that NaN passes through to the check.
    const double low = min > 0 ? 0 : min;
    const double high = max < 0 ? 0 : max;
    bool usable = false;
    float scale = 0;
    OQ_TRY(store_scale((high - low) / (grid->qmax - grid->qmin), tensor, &scale, &usable, err));
    *out = (oq_qparam){.scale = 1};
    if (!usable) return ONNXQ_OK; // q = 0 is in every grid
    const double zero = nearbyint(grid->qmin - low / (double)scale);
    out->scale = scale;
    out->zero_point = zero < grid->qmin ? grid->qmin : zero > grid->qmax ? grid->qmax : (int32_t)zero;
    return ONNXQ_OK;
}

oq_status oq_grid_symmetric(const oq_grid *grid, double absmax, const char *tensor, oq_qparam *out,
                            oq_error *err) {
    const int32_t half = INT32_C(1) << (grid->bits - 1);
    const double steps = grid->is_signed && !grid->narrow ? half - 0.5 : half - 1;
    bool usable = false;
    float scale = 0;
    OQ_TRY(store_scale(fabs(absmax) / steps, tensor, &scale, &usable, err));
    *out = (oq_qparam){.scale = usable ? scale : 1, .zero_point = grid->is_signed ? 0 : half};
    return ONNXQ_OK;
}

// A number of steps to its integer: round half to even, add the zero point, saturate. Clamping to whole
// numbers first changes nothing, keeps the conversion defined, and makes room for rounding by the constant
// 1.5 * 2^23, whose neighbours are the integers. NaN gives the zero point.
static inline int32_t place(float steps, int32_t zero_point, int32_t qmin, int32_t qmax) {
    const float low = (float)(qmin - zero_point);
    const float high = (float)(qmax - zero_point);
    float clamped = steps > low ? steps : low;
    clamped = clamped < high ? clamped : high;
    const float rounded = (clamped + 0x1.8p23F) - 0x1.8p23F;
    const int32_t q = (int32_t)rounded + zero_point;
    return steps == steps ? q : zero_point;
}

int32_t oq_quantize_one(const oq_grid *grid, oq_qparam p, float x) {
    return place(x / p.scale, p.zero_point, grid->qmin, grid->qmax);
}

float oq_dequantize_one(oq_qparam p, int32_t q) { return (float)(q - p.zero_point) * p.scale; }

void oq_quantize(const oq_grid *grid, oq_qparam p, const float *x, int32_t *q, size_t count) {
    for (size_t i = 0; i < count; i++) q[i] = place(x[i] / p.scale, p.zero_point, grid->qmin, grid->qmax);
}

void oq_dequantize(oq_qparam p, const int32_t *q, float *x, size_t count) {
    for (size_t i = 0; i < count; i++) x[i] = (float)(q[i] - p.zero_point) * p.scale;
}

int32_t oq_requantize_one(int64_t acc, float multiplier, int32_t zero_point, int32_t qmin, int32_t qmax) {
    return place((float)acc * multiplier, zero_point, qmin, qmax);
}
