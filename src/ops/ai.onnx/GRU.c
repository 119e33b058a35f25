// GRU: update, reset and hidden gates; the reset gate before or behind the linear transformation.
#include "ops/lib/recurrent.h"

#include <string.h>

enum { UPDATE, RESET, HIDDEN, GATES };

// gate: what activation `which` makes of the sums of one gate. resets: r (.) h of a row. row: the new h.
#define STEP(NAME, T, F)                                                                                     \
    static T NAME##_activate(const oq_recurrent_state *s, size_t which, T x) {                               \
        const oq_activation *a = &s->all->activation[s->direction][which];                                   \
        const T clip = (T)s->all->clip;                                                                      \
        if (clip > 0) x = x > clip ? clip : x < -clip ? -clip : x;                                           \
        return a->F(x, (T)a->alpha, (T)a->beta);                                                             \
    }                                                                                                        \
    static T NAME##_bias(const oq_recurrent_state *s, size_t row) {                                          \
        const size_t n = s->all->hidden;                                                                     \
        return s->all->bias ? ((const T *)s->all->bias)[s->direction * 2 * GATES * n + row] : 0;             \
    }                                                                                                        \
    static T NAME##_gate(const oq_recurrent_state *s, size_t b, size_t t, size_t gate, size_t j) {           \
        const size_t n = s->all->hidden;                                                                     \
        const size_t at = gate * n + j;                                                                      \
        const T x = ((const T *)s->xw)[oq_recurrent_x_row(s, t, b) * GATES * n + at];                        \
        const T r = ((const T *)s->hr)[b * GATES * n + at];                                                  \
        return NAME##_activate(s, 0, x + r + (NAME##_bias(s, at) + NAME##_bias(s, GATES * n + at)));         \
    }                                                                                                        \
    static void NAME##_resets(const oq_recurrent_state *s, size_t b, size_t t) {                             \
        const size_t n = s->all->hidden;                                                                     \
        for (size_t j = 0; j < n; j++) {                                                                     \
            ((T *)s->scaled)[b * n + j] = NAME##_gate(s, b, t, RESET, j) * ((const T *)s->h)[b * n + j];     \
        }                                                                                                    \
    }                                                                                                        \
    static void NAME##_row(const oq_recurrent_state *s, size_t b, size_t t) {                                \
        const size_t n = s->all->hidden;                                                                     \
        T *h = (T *)s->h + b * n;                                                                            \
        for (size_t j = 0; j < n; j++) {                                                                     \
            const size_t at = HIDDEN * n + j;                                                                \
            const T x = ((const T *)s->xw)[oq_recurrent_x_row(s, t, b) * GATES * n + at];                    \
            const T w_bias = NAME##_bias(s, at);                                                             \
            const T r_bias = NAME##_bias(s, GATES * n + at);                                                 \
            const T update = NAME##_gate(s, b, t, UPDATE, j);                                                \
            T sum = 0;                                                                                       \
            if (s->all->linear_before) {                                                                     \
                const T r = ((const T *)s->hr)[b * GATES * n + at];                                          \
                sum = x + NAME##_gate(s, b, t, RESET, j) * (r + r_bias) + w_bias;                            \
            } else {                                                                                         \
                sum = x + ((const T *)s->scaled_r)[b * n + j] + (r_bias + w_bias);                           \
            }                                                                                                \
            h[j] = (1 - update) * NAME##_activate(s, 1, sum) + update * h[j];                                \
        }                                                                                                    \
    }
STEP(f32, float, f32)
STEP(f64, double, f64)

static void step(oq_recurrent_state *s, size_t at) {
    const size_t size = oq_work_bytes(s->all->work) * s->all->hidden;
    oq_recurrent_multiply(s);
    if (!s->all->linear_before) {
        memset(s->scaled, 0, s->all->batch * size);
        oq_recurrent_each(s, at, f32_resets, f64_resets);
        oq_recurrent_multiply_last(s);
    }
    oq_recurrent_last(s, at, f32_row, f64_row);
}

static oq_status run(oq_run_context *context, oq_error *err) {
    static const char *const usual[] = {"Sigmoid", "Tanh"};
    return oq_recurrent_run(context, GATES, false, usual, 2, step, err);
}

#define COMMON                                                                                               \
    {"activation_alpha", OQ_ATTR_FLOATS, false}, {"activation_beta", OQ_ATTR_FLOATS, false},                 \
        {"activations", OQ_ATTR_STRINGS, false}, {"clip", OQ_ATTR_FLOAT, false},                             \
        {"direction", OQ_ATTR_STRING, false}, {                                                              \
        "hidden_size", OQ_ATTR_INT, false                                                                    \
    }
#define LINEAR                                                                                               \
    { "linear_before_reset", OQ_ATTR_INT, false }
static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {"T1", OQ_T(INT32)}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {"T1", OQ_T(INT32)}, {0}};
static const oq_attr_spec attrs_1[] = {COMMON, {"output_sequence", OQ_ATTR_INT, false}, {0}};
static const oq_attr_spec attrs_3[] = {COMMON, LINEAR, {"output_sequence", OQ_ATTR_INT, false}, {0}};
static const oq_attr_spec attrs_7[] = {COMMON, LINEAR, {0}};
static const oq_attr_spec attrs_14[] = {COMMON, LINEAR, {"layout", OQ_ATTR_INT, false}, {0}};

#define INPUTS "X:T, W:T, R:T, B?:T, sequence_lens?:T1, initial_h?:T"
#define RUNS   .infer = oq_recurrent_infer, .run = run, .macs = oq_recurrent_macs
static const oq_op_version versions[] = {
    {.since = 1, .signature = INPUTS " -> Y?:T, Y_h:T", .types = types_1, .attrs = attrs_1, RUNS},
    {.since = 3, .signature = INPUTS " -> Y?:T, Y_h?:T", .types = types_1, .attrs = attrs_3, RUNS},
    {.since = 7,
     .signature = INPUTS " -> Y?:T, Y_h?:T",
     .types = types_1,
     .attrs = attrs_7,
     .upgrade = oq_recurrent_upgrade_7,
     RUNS},
    {.since = 14, .signature = INPUTS " -> Y?:T, Y_h?:T", .types = types_1, .attrs = attrs_14, RUNS},
    {.since = 22, .signature = INPUTS " -> Y?:T, Y_h?:T", .types = types_22, .attrs = attrs_14, RUNS},
};
OQ_ONNX_OP(GRU, versions);
