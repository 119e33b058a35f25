// Elementwise functions of two tensors with broadcasting: a formula per working type, one driver for all.
#ifndef OQ_OPS_LIB_BINARY_H
#define OQ_OPS_LIB_BINARY_H

#include "ops/lib/broadcast.h"

// y[i] = f(a[i * a_step], b[i * b_step]); steps are 0 or 1; y may be a or b where that steps by 1.
typedef void (*oq_binary_loop)(const void *a, size_t a_step, const void *b, size_t b_step, void *y, size_t n);

typedef struct oq_binary {
    oq_binary_loop loop[OQ_WORK_COUNT]; // by oq_work_type; NULL = not for such dtypes
    bool to_bool;                       // y are bool elements (one byte) instead
    // Optional, for strings tensors with to_bool: true when the two strings are in the relation.
    bool (*strings)(const char *a, size_t a_length, const char *b, size_t b_length);
} oq_binary;

// A loop from a formula in `a` and `b` of type `type`. Three loops, so that each is over plain arrays.
#define OQ_BINARY_LOOP_AS(name, type, result, ...)                                                           \
    static inline result name##_one(type a, type b) { return (void)b, (result)(__VA_ARGS__); }               \
    static void name(const void *a_, size_t a_step, const void *b_, size_t b_step, void *y_, size_t n) {     \
        const type *const a = a_;                                                                            \
        const type *const b = b_;                                                                            \
        result *const y = y_;                                                                                \
        if (!n) return;                                                                                      \
        if (a_step && b_step) {                                                                              \
            for (size_t i = 0; i < n; i++) y[i] = name##_one(a[i], b[i]);                                    \
        } else if (a_step) {                                                                                 \
            const type one = b[0];                                                                           \
            for (size_t i = 0; i < n; i++) y[i] = name##_one(a[i], one);                                     \
        } else if (b_step) {                                                                                 \
            const type one = a[0];                                                                           \
            for (size_t i = 0; i < n; i++) y[i] = name##_one(one, b[i]);                                     \
        } else {                                                                                             \
            const result one = name##_one(a[0], b[0]);                                                       \
            for (size_t i = 0; i < n; i++) y[i] = one;                                                       \
        }                                                                                                    \
    }
#define OQ_BINARY_LOOP(name, type, ...) OQ_BINARY_LOOP_AS(name, type, type, __VA_ARGS__)
#define OQ_BINARY_TEST(name, type, ...) OQ_BINARY_LOOP_AS(name, type, uint8_t, __VA_ARGS__)
// A loop of kernels/rows.h.
#define OQ_BINARY_ROWS(name, which)                                                                          \
    static void name(const void *a, size_t a_step, const void *b, size_t b_step, void *y, size_t n) {        \
        oq_rows_binary_f32((which), a, a_step, b, b_step, y, n);                                             \
    }
// Initialiser of an oq_binary from loops called f32, f64, i64 and u64; of a relation (bool result).
#define OQ_BINARY_NUMBERS                                                                                    \
    {                                                                                                        \
        .loop = { [OQ_WORK_F32] = f32, [OQ_WORK_F64] = f64, [OQ_WORK_I64] = i64, [OQ_WORK_U64] = u64 }       \
    }
#define OQ_BINARY_RELATION                                                                                   \
    {                                                                                                        \
        .loop = {[OQ_WORK_F32] = f32, [OQ_WORK_F64] = f64, [OQ_WORK_I64] = i64, [OQ_WORK_U64] = u64},        \
        .to_bool = true                                                                                      \
    }

// Output 0 = f(input 0, input 1), broadcast both ways; before opset 7 as the attributes broadcast and axis
// say (B is aligned at axis, or at the last axes of A).
oq_status oq_binary_run(oq_run_context *context, const oq_binary *f, oq_error *err);
// The same with input 1 seen under another shape of as many elements.
oq_status oq_binary_run_as(oq_run_context *context, const oq_binary *f, const oq_shape *b_shape,
                           oq_error *err);
// The shape that input 1 takes part with: its own, or aligned at `axis` of A in the old form.
oq_status oq_binary_align(const oq_run_context *context, const oq_shape *a, const oq_shape *b, oq_shape *out,
                          oq_error *err);
// The `run` of an operator whose oq_binary is called `formula`.
#define OQ_BINARY_RUN(formula)                                                                               \
    static oq_status run(oq_run_context *context, oq_error *err) {                                           \
        return oq_binary_run(context, &(formula), err);                                                      \
    }

// Integer arithmetic that is defined for every pair: wraps like two's complement hardware.
static inline int64_t oq_wrap_add(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
static inline int64_t oq_wrap_sub(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }
static inline int64_t oq_wrap_mul(int64_t a, int64_t b) { return (int64_t)((uint64_t)a * (uint64_t)b); }
// a / b towards zero; x / 0 = 0 (what numpy gives), least / -1 wraps to least.
static inline int64_t oq_wrap_div(int64_t a, int64_t b) {
    return b == 0 ? 0 : b == -1 ? oq_wrap_sub(0, a) : a / b;
}

#endif
