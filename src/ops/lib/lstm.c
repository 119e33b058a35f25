// The cell of LSTM and DynamicQuantizeLSTM: input, output, forget and cell gates, with peepholes and coupled
// gates.
#include "ops/lib/lstm.h"

enum { INPUT, OUTPUT, FORGET, CELL, GATES };

// `clip` bounds the sums of the gates, and not the cell on its way into h: the standard can be read either
// way, ONNX Runtime does this.
#define STEP(NAME, T, F)                                                                                     \
    static T NAME##_activate(const oq_recurrent_state *s, size_t which, T x) {                               \
        const oq_activation *a = &s->all->activation[s->direction][which];                                   \
        const T clip = (T)s->all->clip;                                                                      \
        if (clip > 0 && which < 2) x = x > clip ? clip : x < -clip ? -clip : x;                              \
        return a->F(x, (T)a->alpha, (T)a->beta);                                                             \
    }                                                                                                        \
    static void NAME##_row(const oq_recurrent_state *s, size_t b, size_t t) {                                \
        const size_t n = s->all->hidden;                                                                     \
        const T *x = (const T *)s->xw + oq_recurrent_x_row(s, t, b) * GATES * n;                             \
        const T *r = (const T *)s->hr + b * GATES * n;                                                       \
        const T *bias = s->all->bias ? (const T *)s->all->bias + s->direction * 2 * GATES * n : NULL;        \
        const T *p = s->all->peepholes ? (const T *)s->all->peepholes + s->direction * 3 * n : NULL;         \
        T *h = (T *)s->h + b * n;                                                                            \
        T *c = (T *)s->c + b * n;                                                                            \
        for (size_t j = 0; j < n; j++) {                                                                     \
            T gate[GATES];                                                                                   \
            for (size_t k = 0; k < GATES; k++) {                                                             \
                gate[k] = x[k * n + j] + r[k * n + j];                                                       \
                if (bias) gate[k] += bias[k * n + j] + bias[(GATES + k) * n + j];                            \
            }                                                                                                \
            const T in = NAME##_activate(s, 0, gate[INPUT] + (p ? p[j] * c[j] : 0));                         \
            const T forget = s->all->coupled                                                                 \
                                 ? 1 - in                                                                    \
                                 : NAME##_activate(s, 0, gate[FORGET] + (p ? p[2 * n + j] * c[j] : 0));      \
            c[j] = forget * c[j] + in * NAME##_activate(s, 1, gate[CELL]);                                   \
            const T out = NAME##_activate(s, 0, gate[OUTPUT] + (p ? p[n + j] * c[j] : 0));                   \
            h[j] = out * NAME##_activate(s, 2, c[j]);                                                        \
        }                                                                                                    \
    }
STEP(f32, float, f32)
STEP(f64, double, f64)

static void step(oq_recurrent_state *s, size_t at) {
    oq_recurrent_multiply(s);
    oq_recurrent_last(s, at, f32_row, f64_row);
}

oq_status oq_lstm_run(oq_run_context *context, oq_error *err) {
    static const char *const usual[] = {"Sigmoid", "Tanh", "Tanh"};
    return oq_recurrent_run(context, GATES, true, usual, 3, step, err);
}
