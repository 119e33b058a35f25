// RNN: h = f(x w' + h r' + bias).
#include "ops/lib/recurrent.h"

#define STEP(NAME, T, F)                                                                                     \
    static void NAME(const oq_recurrent_state *s, size_t b, size_t t) {                                      \
        const size_t n = s->all->hidden;                                                                     \
        const oq_activation *a = &s->all->activation[s->direction][0];                                       \
        const T clip = (T)s->all->clip;                                                                      \
        const T *x = (const T *)s->xw + oq_recurrent_x_row(s, t, b) * n;                                     \
        const T *r = (const T *)s->hr + b * n;                                                               \
        const T *bias = s->all->bias ? (const T *)s->all->bias + s->direction * 2 * n : NULL;                \
        T *h = (T *)s->h + b * n;                                                                            \
        for (size_t j = 0; j < n; j++) {                                                                     \
            T sum = x[j] + r[j];                                                                             \
            if (bias) sum += bias[j] + bias[n + j];                                                          \
            if (clip > 0) sum = sum > clip ? clip : sum < -clip ? -clip : sum;                               \
            h[j] = a->F(sum, (T)a->alpha, (T)a->beta);                                                       \
        }                                                                                                    \
    }
STEP(row_f32, float, f32)
STEP(row_f64, double, f64)

static void step(oq_recurrent_state *s, size_t at) {
    oq_recurrent_multiply(s);
    oq_recurrent_last(s, at, row_f32, row_f64);
}

static oq_status run(oq_run_context *context, oq_error *err) {
    static const char *const usual[] = {"Tanh"};
    return oq_recurrent_run(context, 1, false, usual, 1, step, err);
}

#define COMMON                                                                                               \
    {"activation_alpha", OQ_ATTR_FLOATS, false}, {"activation_beta", OQ_ATTR_FLOATS, false},                 \
        {"activations", OQ_ATTR_STRINGS, false}, {"clip", OQ_ATTR_FLOAT, false},                             \
        {"direction", OQ_ATTR_STRING, false}, {                                                              \
        "hidden_size", OQ_ATTR_INT, false                                                                    \
    }
static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {"T1", OQ_T(INT32)}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {"T1", OQ_T(INT32)}, {0}};
static const oq_attr_spec attrs_1[] = {COMMON, {"output_sequence", OQ_ATTR_INT, false}, {0}};
static const oq_attr_spec attrs_7[] = {COMMON, {0}};
static const oq_attr_spec attrs_14[] = {COMMON, {"layout", OQ_ATTR_INT, false}, {0}};

#define SIGNATURE "X:T, W:T, R:T, B?:T, sequence_lens?:T1, initial_h?:T -> Y?:T, Y_h?:T"
#define RUNS      .signature = SIGNATURE, .infer = oq_recurrent_infer, .run = run, .macs = oq_recurrent_macs
static const oq_op_version versions[] = {
    {.since = 1, .types = types_1, .attrs = attrs_1, RUNS},
    {.since = 7, .types = types_1, .attrs = attrs_7, .upgrade = oq_recurrent_upgrade_7, RUNS},
    {.since = 14, .types = types_1, .attrs = attrs_14, RUNS},
    {.since = 22, .types = types_22, .attrs = attrs_14, RUNS},
};
OQ_ONNX_OP(RNN, versions);
