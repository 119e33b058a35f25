// Gelu in its two forms, Swish, and Gelu of a sum.
#include "ops/lib/gelu.h"

#include "kernels/rows.h"
#include "ops/lib/smooth.h"

#include <math.h>

// 0.5 * x * (1 + erf(x / sqrt(2)))
static void erf_block(const float *x, float *y, size_t n, float a, float b) {
    float t[OQ_BLOCK];
    (void)a, (void)b;
    for (size_t i = 0; i < n; i++) t[i] = x[i] * 0.70710678118654752440f;
    oq_rows_erf(t, t, n);
    for (size_t i = 0; i < n; i++) y[i] = 0.5f * x[i] * (1 + t[i]);
}
OQ_UNARY_BLOCKS(erf_f32, erf_block)

// 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))
static void tanh_block(const float *x, float *y, size_t n, float a, float b) {
    float t[OQ_BLOCK];
    (void)a, (void)b;
    for (size_t i = 0; i < n; i++) t[i] = 0.79788456080286535588f * (x[i] + 0.044715f * x[i] * x[i] * x[i]);
    oq_rows_tanh(t, t, n);
    for (size_t i = 0; i < n; i++) y[i] = 0.5f * x[i] * (1 + t[i]);
}
OQ_UNARY_BLOCKS(tanh_f32, tanh_block)

OQ_UNARY_LOOP(erf_f64, double, 0.5 * x * (1 + erf(x * 0.70710678118654752440)))
OQ_UNARY_LOOP(tanh_f64, double, 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x))))

const oq_unary oq_gelu_erf = {.loop = {[OQ_WORK_F32] = erf_f32, [OQ_WORK_F64] = erf_f64}};
const oq_unary oq_gelu_tanh = {.loop = {[OQ_WORK_F32] = tanh_f32, [OQ_WORK_F64] = tanh_f64}};

// x * sigmoid(a * x)
static void swish_block(const float *x, float *y, size_t n, float a, float b) {
    float t[OQ_BLOCK];
    (void)b;
    for (size_t i = 0; i < n; i++) t[i] = a * x[i];
    oq_rows_sigmoid(t, t, n);
    for (size_t i = 0; i < n; i++) y[i] = x[i] * t[i];
}
OQ_UNARY_BLOCKS(swish_f32, swish_block)

OQ_UNARY_LOOP(swish_f64, double, x / (1 + exp(-a * x)))

const oq_unary oq_swish = {.loop = {[OQ_WORK_F32] = swish_f32, [OQ_WORK_F64] = swish_f64}};

// --- of a sum with broadcasting ---

#define BIAS_LOOPS(form)                                                                                     \
    static void bias_##form##_f32(const void *a, size_t a_step, const void *b, size_t b_step, void *y,       \
                                  size_t n) {                                                                \
        oq_rows_binary_f32(OQ_ROWS_ADD, a, a_step, b, b_step, y, n);                                         \
        form##_f32(y, y, n, none);                                                                           \
    }                                                                                                        \
    static void bias_##form##_f64(const void *a, size_t a_step, const void *b, size_t b_step, void *y,       \
                                  size_t n) {                                                                \
        add_f64(a, a_step, b, b_step, y, n);                                                                 \
        form##_f64(y, y, n, none);                                                                           \
    }                                                                                                        \
    const oq_binary oq_bias_gelu_##form = {                                                                  \
        .loop = {[OQ_WORK_F32] = bias_##form##_f32, [OQ_WORK_F64] = bias_##form##_f64}};

static const oq_parameter none[2] = {{0}, {0}};
OQ_BINARY_LOOP(add_f64, double, a + b)
BIAS_LOOPS(erf)
BIAS_LOOPS(tanh)
