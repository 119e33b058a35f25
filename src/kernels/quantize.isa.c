// Quantization, dequantization and requantization of rows to and from 8 bits.
#include "kernels/table.h"

#define STEP (4 * OQ_W) // numbers that are stored at once

// The last vectors of a row go through a buffer; `out` takes n < STEP bytes.
static void store_some(uint8_t *out, const vi v[4], bool is_signed, size_t n) {
    uint8_t bytes[STEP];
    vi_store_8x4(bytes, v, is_signed);
    memcpy(out, bytes, n);
}

void OQ_FN(rows_quantize_8)(const float *x, float scale, int32_t zero_point, bool is_signed, void *q,
                            size_t n) {
    const int32_t qmin = is_signed ? -128 : 0;
    const vf low = vf_set1((float)(qmin - zero_point)), high = vf_set1((float)(qmin + 255 - zero_point));
    const vf s = vf_set1(scale);
    const vi zero = vi_set1(zero_point);
    vi v[4];
    for (size_t i = 0; i < n; i += STEP) {
        const bool whole = n - i >= STEP;
        for (size_t t = 0; t < 4; t++) {
            const size_t at = i + t * OQ_W;
            const vf number = at < n ? vf_load_up_to(x + at, n - at) : vf_zero();
            v[t] = vi_add(oq_round_clamped(vf_div(number, s), low, high), zero);
        }
        if (whole)
            vi_store_8x4((uint8_t *)q + i, v, is_signed);
        else
            store_some((uint8_t *)q + i, v, is_signed, n - i);
    }
}

void OQ_FN(rows_dequantize_8)(const void *q, float scale, int32_t zero_point, bool is_signed, float *x,
                              size_t n) {
    const vf s = vf_set1(scale);
    const vi zero = vi_set1(zero_point);
    for (size_t i = 0; i < n; i += OQ_W) {
        const uint8_t *from = (const uint8_t *)q + i;
        uint8_t bytes[OQ_W] = {0};
        if (n - i < OQ_W) {
            memcpy(bytes, from, n - i);
            from = bytes;
        }
        const vi number = is_signed ? vi_load_i8(from) : vi_load_u8(from);
        vf_store_up_to(x + i, vf_mul(vf_convert(vi_sub(number, zero)), s), n - i);
    }
}

void OQ_FN(rows_requantize_8)(const int32_t *acc, const float *multiplier, size_t multiplier_stride,
                              int32_t zero_point, bool is_signed, void *q, size_t n) {
    vi v[4];
    const vf one = n ? vf_set1(*multiplier) : vf_zero();
    for (size_t i = 0; i < n; i += STEP) {
        const bool whole = n - i >= STEP;
        for (size_t t = 0; t < 4; t++) {
            const size_t at = i + t * OQ_W, left = at < n ? n - at : 0;
            const vi sum = left ? vi_load_up_to(acc + at, left) : vi_set1(0);
            const vf m = multiplier_stride && left ? vf_load_up_to(multiplier + at, left) : one;
            v[t] = oq_requantize_vector(sum, m, zero_point, is_signed);
        }
        if (whole)
            vi_store_8x4((uint8_t *)q + i, v, is_signed);
        else
            store_some((uint8_t *)q + i, v, is_signed, n - i);
    }
}
