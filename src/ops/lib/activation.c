// The activation functions of LSTM, GRU and RNN.
#include "ops/lib/activation.h"

#include "base/math.h"

#include <math.h>
#include <strings.h>

#define FUNCTIONS(SUFFIX, T, EXP, LOG1P, TANH, FABS)                                                         \
    static T relu_##SUFFIX(T x, T alpha, T beta) {                                                           \
        (void)alpha, (void)beta;                                                                             \
        return x > 0 ? x : 0;                                                                                \
    }                                                                                                        \
    static T tanh_##SUFFIX(T x, T alpha, T beta) {                                                           \
        (void)alpha, (void)beta;                                                                             \
        return TANH(x);                                                                                      \
    }                                                                                                        \
    static T sigmoid_##SUFFIX(T x, T alpha, T beta) {                                                        \
        (void)alpha, (void)beta;                                                                             \
        return 1 / (1 + EXP(-x));                                                                            \
    }                                                                                                        \
    static T affine_##SUFFIX(T x, T alpha, T beta) { return alpha * x + beta; }                              \
    static T leaky_##SUFFIX(T x, T alpha, T beta) {                                                          \
        (void)beta;                                                                                          \
        return x >= 0 ? x : alpha * x;                                                                       \
    }                                                                                                        \
    static T thresholded_##SUFFIX(T x, T alpha, T beta) {                                                    \
        (void)beta;                                                                                          \
        return x >= alpha ? x : 0;                                                                           \
    }                                                                                                        \
    static T scaled_##SUFFIX(T x, T alpha, T beta) { return alpha * TANH(beta * x); }                        \
    static T hard_##SUFFIX(T x, T alpha, T beta) {                                                           \
        const T y = alpha * x + beta;                                                                        \
        return y < 0 ? 0 : y > 1 ? 1 : y;                                                                    \
    }                                                                                                        \
    static T elu_##SUFFIX(T x, T alpha, T beta) {                                                            \
        (void)beta;                                                                                          \
        return x >= 0 ? x : alpha * (EXP(x) - 1);                                                            \
    }                                                                                                        \
    static T softsign_##SUFFIX(T x, T alpha, T beta) {                                                       \
        (void)alpha, (void)beta;                                                                             \
        return x / (1 + FABS(x));                                                                            \
    }                                                                                                        \
    static T softplus_##SUFFIX(T x, T alpha, T beta) {                                                       \
        (void)alpha, (void)beta;                                                                             \
        return (x > 0 ? x : 0) + LOG1P(EXP(-FABS(x)));                                                       \
    }

static float log1p_f32(float x) { return oq_logf(1 + x); }

FUNCTIONS(f32, float, oq_expf, log1p_f32, oq_tanhf, fabsf)
FUNCTIONS(f64, double, exp, log1p, tanh, fabs)

static const struct {
    const char *name;
    oq_activation activation;
} table[] = {
    {"Relu", {relu_f32, relu_f64, 0, 0, false, false}},
    {"Tanh", {tanh_f32, tanh_f64, 0, 0, false, false}},
    {"Sigmoid", {sigmoid_f32, sigmoid_f64, 0, 0, false, false}},
    {"Affine", {affine_f32, affine_f64, 1, 0, true, true}},
    {"LeakyRelu", {leaky_f32, leaky_f64, 0.01, 0, true, false}},
    {"ThresholdedRelu", {thresholded_f32, thresholded_f64, 1, 0, true, false}},
    {"ScaledTanh", {scaled_f32, scaled_f64, 1, 1, true, true}},
    {"HardSigmoid", {hard_f32, hard_f64, 0.2, 0.5, true, true}},
    {"Elu", {elu_f32, elu_f64, 1, 0, true, false}},
    {"Softsign", {softsign_f32, softsign_f64, 0, 0, false, false}},
    {"Softplus", {softplus_f32, softplus_f64, 0, 0, false, false}},
};

oq_status oq_activation_find(const char *name, oq_activation *out, oq_error *err) {
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (strcasecmp(table[i].name, name) == 0) {
            *out = table[i].activation;
            return ONNXQ_OK;
        }
    }
    return oq_fail(err, ONNXQ_BAD_MODEL, "'%s' is no activation function of the standard", name);
}
