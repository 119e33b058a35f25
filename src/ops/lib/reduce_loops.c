// The loops of reductions, made from one pattern for each working type.
#include "kernels/rows.h"
#include "ops/lib/reduce.h"

#include <math.h>
#include <string.h>

enum { PARTS = 16 }; // partial results side by side, in a fixed order

#define MAP(name, type, formula)                                                                             \
    static void name(void *x_, const void *center, size_t step, size_t n) {                                  \
        type *const x = x_;                                                                                  \
        (void)center, (void)step;                                                                            \
        for (size_t i = 0; i < n; i++) {                                                                     \
            const type v = x[i];                                                                             \
            x[i] = (type)(formula);                                                                          \
        }                                                                                                    \
    }

// fold and rows of one combination of a and b.
#define COMBINE(name, type, formula)                                                                         \
    static inline type name##_two(type a, type b) { return (type)(formula); }                                \
    static void name##_fold(const void *x_, size_t n, void *result) {                                        \
        const type *const x = x_;                                                                            \
        type part[PARTS];                                                                                    \
        const size_t first = oq_min_size(n, PARTS);                                                          \
        memcpy(part, x, first * sizeof *x);                                                                  \
        size_t i = first;                                                                                    \
        for (; i + PARTS <= n; i += PARTS)                                                                   \
            for (size_t k = 0; k < PARTS; k++) part[k] = name##_two(part[k], x[i + k]);                      \
        for (; i < n; i++) part[i % PARTS] = name##_two(part[i % PARTS], x[i]);                              \
        for (size_t k = 1; k < first; k++) part[0] = name##_two(part[0], part[k]);                           \
        *(type *)result = part[0];                                                                           \
    }                                                                                                        \
    static void name##_rows(void *sum_, const void *x_, size_t n) {                                          \
        type *const sum = sum_;                                                                              \
        const type *const x = x_;                                                                            \
        for (size_t i = 0; i < n; i++) sum[i] = name##_two(sum[i], x[i]);                                    \
    }

#define FINISH(name, type, formula)                                                                          \
    static void name(void *sum_, size_t n, double count) {                                                   \
        type *const sum = sum_;                                                                              \
        (void)count;                                                                                         \
        for (size_t i = 0; i < n; i++) {                                                                     \
            const type v = sum[i];                                                                           \
            sum[i] = (type)(formula);                                                                        \
        }                                                                                                    \
    }

#define CENTER(name, type)                                                                                   \
    static void name##_center(void *greatest, size_t n) {                                                    \
        for (size_t i = 0; i < n; i++)                                                                       \
            if (!isfinite(((type *)greatest)[i])) ((type *)greatest)[i] = 0;                                 \
    }                                                                                                        \
    static void name##_uncenter(void *sum, const void *center, size_t n) {                                   \
        for (size_t i = 0; i < n; i++) ((type *)sum)[i] += ((const type *)center)[i];                        \
    }

// Maximum and minimum; `a` stays when it is not a number, and so does a NaN in b.
#define EXTREMES(name, type)                                                                                 \
    COMBINE(name##_max, type, (a > b) | (a != a) ? a : b)                                                    \
    COMBINE(name##_min, type, (a < b) | (a != a) ? a : b)

// --- float32 ---
MAP(f32_abs, float, fabsf(v))
MAP(f32_square, float, v *v)
static void f32_exp(void *x, const void *center, size_t step, size_t n) {
    oq_rows_binary_f32(OQ_ROWS_SUB, x, 1, center, step, x, n);
    oq_rows_exp(x, x, n);
}
static void f32_add_fold(const void *x, size_t n, void *result) { *(float *)result = oq_rows_sum(x, n); }
static void f32_add_rows(void *sum, const void *x, size_t n) {
    oq_rows_binary_f32(OQ_ROWS_ADD, sum, 1, x, 1, sum, n);
}
COMBINE(f32_mul, float, a *b)
EXTREMES(f32, float)
FINISH(f32_mean, float, v / (float)count)
FINISH(f32_sqrt, float, sqrtf(v))
static void f32_log(void *sum, size_t n, double count) {
    (void)count;
    oq_rows_log(sum, sum, n);
}
CENTER(f32, float)

// --- float64 ---
MAP(f64_abs, double, fabs(v))
MAP(f64_square, double, v *v)
MAP(f64_exp, double, exp(v - ((const double *)center)[i * step]))
COMBINE(f64_add, double, a + b)
COMBINE(f64_mul, double, a *b)
EXTREMES(f64, double)
FINISH(f64_mean, double, v / count)
FINISH(f64_sqrt, double, sqrt(v))
FINISH(f64_log, double, log(v))
CENTER(f64, double)

// --- integers: wrapping, the mean cut towards zero, the mean of nothing 0 ---
MAP(i64_abs, int64_t, v < 0 ? (int64_t)(0 - (uint64_t)v) : v)
MAP(i64_square, int64_t, (uint64_t)v *(uint64_t)v)
COMBINE(i64_add, int64_t, (uint64_t)a + (uint64_t)b)
COMBINE(i64_mul, int64_t, (uint64_t)a *(uint64_t)b)
COMBINE(i64_max, int64_t, a > b ? a : b)
COMBINE(i64_min, int64_t, a < b ? a : b)
FINISH(i64_mean, int64_t, count > 0 ? v / (int64_t)count : 0)
MAP(u64_square, uint64_t, v *v)
COMBINE(u64_add, uint64_t, a + b)
COMBINE(u64_mul, uint64_t, a *b)
COMBINE(u64_max, uint64_t, a > b ? a : b)
COMBINE(u64_min, uint64_t, a < b ? a : b)
FINISH(u64_mean, uint64_t, count > 0 ? v / (uint64_t)count : 0)

#define FOLDS(name)                                                                                          \
    { name##_add_fold, name##_mul_fold, name##_max_fold, name##_min_fold }
#define ROWS(name)                                                                                           \
    { name##_add_rows, name##_mul_rows, name##_max_rows, name##_min_rows }

const oq_reduce_loops *oq_reduce_loops_of(oq_work_type work) {
    static const oq_reduce_loops table[OQ_WORK_COUNT] = {
        [OQ_WORK_F32] = {.map = {NULL, f32_abs, f32_square, f32_exp},
                         .fold = FOLDS(f32),
                         .rows = ROWS(f32),
                         .finish = {NULL, f32_mean, f32_sqrt, f32_log},
                         .center = f32_center,
                         .uncenter = f32_uncenter},
        [OQ_WORK_F64] = {.map = {NULL, f64_abs, f64_square, f64_exp},
                         .fold = FOLDS(f64),
                         .rows = ROWS(f64),
                         .finish = {NULL, f64_mean, f64_sqrt, f64_log},
                         .center = f64_center,
                         .uncenter = f64_uncenter},
        [OQ_WORK_I64] = {.map = {NULL, i64_abs, i64_square, NULL},
                         .fold = FOLDS(i64),
                         .rows = ROWS(i64),
                         .finish = {NULL, i64_mean, NULL, NULL}},
        [OQ_WORK_U64] = {.map = {NULL, NULL, u64_square, NULL},
                         .fold = FOLDS(u64),
                         .rows = ROWS(u64),
                         .finish = {NULL, u64_mean, NULL, NULL}},
    };
    return work == OQ_WORK_NONE ? NULL : &table[work];
}
