// Elementwise functions of one tensor: a formula per working type, one driver for all dtypes.
//
// float32 (and the smaller floats, which compute in float32 and round once) uses base/math.h or
// kernels/rows.h for exp, log, pow, tanh, erf and sigmoid. The exception list, computed by libm in double and
// rounded to float32: sin, cos, tan, asin, acos, atan, sinh, cosh, asinh, acosh, atanh. float64 uses libm
// throughout. sqrt, floor, ceil, rint and fmod are exact everywhere.
#ifndef OQ_OPS_LIB_UNARY_H
#define OQ_OPS_LIB_UNARY_H

#include "ops/lib/work.h"

// A parameter of an operator, in the type that its formula wants.
typedef union oq_parameter {
    double f;
    int64_t i;
    uint64_t u;
} oq_parameter;

// y[i] = f(x[i]) for n elements of a working type; y may be x. p: two parameters of the operator.
typedef void (*oq_unary_loop)(const void *x, void *y, size_t n, const oq_parameter *p);

typedef struct oq_unary {
    oq_unary_loop loop[OQ_WORK_COUNT]; // by oq_work_type; NULL = not for such dtypes
    bool to_bool;                      // y are bool elements (one byte) instead
} oq_unary;

// A loop from a formula in x of type `type` with the parameters a and b (as numbers of that type; p[0].i and
// p[1].u are at hand as well).
#define OQ_UNARY_LOOP_AS(name, type, result, ...)                                                            \
    static void name(const void *from, void *into, size_t n, const oq_parameter *p) {                        \
        const type a = (type)p[0].f, b = (type)p[1].f;                                                       \
        (void)a, (void)b;                                                                                    \
        for (size_t i = 0; i < n; i++) {                                                                     \
            const type x = ((const type *)from)[i];                                                          \
            ((result *)into)[i] = (result)(__VA_ARGS__);                                                     \
        }                                                                                                    \
    }
#define OQ_UNARY_LOOP(name, type, ...) OQ_UNARY_LOOP_AS(name, type, type, __VA_ARGS__)
#define OQ_UNARY_TEST(name, type, ...) OQ_UNARY_LOOP_AS(name, type, uint8_t, __VA_ARGS__)
// A loop that calls a row function of float32 from kernels/rows.h.
#define OQ_UNARY_ROWS(name, function)                                                                        \
    static void name(const void *from, void *into, size_t n, const oq_parameter *p) {                        \
        (void)p;                                                                                             \
        function(from, into, n);                                                                             \
    }
// Loops f32 and f64 under these names, from formulas; the initialiser of an oq_unary of both.
#define OQ_UNARY_FLOATS                                                                                      \
    {                                                                                                        \
        .loop = { [OQ_WORK_F32] = f32, [OQ_WORK_F64] = f64 }                                                 \
    }

// Output 0 = f(input 0). `a` and `b` are the operator's parameters (0 when it has none).
oq_status oq_unary_run(oq_run_context *context, const oq_unary *f, double a, double b, oq_error *err);
oq_status oq_unary_run_with(oq_run_context *context, const oq_unary *f, const oq_parameter p[2],
                            oq_error *err);
// The `run` of an operator without parameters whose oq_unary is called `formula`.
#define OQ_UNARY_RUN(formula)                                                                                \
    static oq_status run(oq_run_context *context, oq_error *err) {                                           \
        return oq_unary_run(context, &(formula), 0, 0, err);                                                 \
    }

#endif
