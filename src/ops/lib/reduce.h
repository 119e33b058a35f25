// Reductions over axes, as four primitive steps: map every element, combine, finish.
//
// Order of a float sum: along a contiguous axis 16 partial sums (kernels/rows.h), runs one after the other;
// over outer axes every output adds its elements in rising order. Both follow from the shape alone.
#ifndef OQ_OPS_LIB_REDUCE_H
#define OQ_OPS_LIB_REDUCE_H

#include "ops/lib/elementwise.h"
#include "ops/lib/work.h"

typedef enum oq_reduce_map { OQ_MAP_NONE, OQ_MAP_ABS, OQ_MAP_SQUARE, OQ_MAP_EXP } oq_reduce_map;
typedef enum oq_reduce_combine {
    OQ_COMBINE_ADD,
    OQ_COMBINE_MUL,
    OQ_COMBINE_MAX, // NaN wins
    OQ_COMBINE_MIN
} oq_reduce_combine;
typedef enum oq_reduce_finish {
    OQ_FINISH_NONE,
    OQ_FINISH_MEAN,
    OQ_FINISH_SQRT,
    OQ_FINISH_LOG
} oq_reduce_finish;

typedef struct oq_reduce {
    oq_reduce_map map; // EXP: of the distance to the greatest element, added again at the end
    oq_reduce_combine combine;
    oq_reduce_finish finish;
} oq_reduce;

// Output 0 = input 0 reduced over the axes of input 1 or of the attribute axes (none: all, or none at all
// with noop_with_empty_axes), keepdims as given. Over nothing: 0, 1, or the least or greatest of the type.
oq_status oq_reduce_run(oq_run_context *context, const oq_reduce *how, oq_error *err);
// The `run` of an operator whose oq_reduce is called `steps`.
#define OQ_REDUCE_RUN(steps)                                                                                 \
    static oq_status run(oq_run_context *context, oq_error *err) {                                           \
        return oq_reduce_run(context, &(steps), err);                                                        \
    }

oq_status oq_infer_reduce(oq_infer_context *context, oq_error *err);
// The attribute axes becomes input 1 (opset 13 for ReduceSum, 18 for the others).
oq_status oq_upgrade_reduce(oq_upgrade_context *context, oq_error *err);

// Loops of one working type; elements and accumulators of that type.
typedef struct oq_reduce_loops {
    // x[i] = map(x[i]); for EXP exp(x[i] - center[i * step])
    void (*map[4])(void *x, const void *center, size_t step, size_t n);
    void (*fold[4])(const void *x, size_t n, void *result);    // one value from n >= 1 side by side
    void (*rows[4])(void *sum, const void *x, size_t n);       // sum[i] = sum[i] o x[i]
    void (*finish[4])(void *sum, size_t n, double count);      // in place
    void (*center)(void *greatest, size_t n);                  // what EXP subtracts: 0 for infinities and NaN
    void (*uncenter)(void *sum, const void *center, size_t n); // sum[i] += center[i]
} oq_reduce_loops;

// NULL for OQ_WORK_NONE; EXP, SQRT and LOG are there for floats only.
const oq_reduce_loops *oq_reduce_loops_of(oq_work_type work);

// --- rows of version tables: axes as an attribute, or as an input ---

#define OQ_VERSION_REDUCE_ATTR(SINCE, SET)                                                                   \
    {                                                                                                        \
        .since = SINCE, .signature = "data:T -> reduced:T", .types = OQ_TYPES({"T", SET}),                   \
        .attrs = OQ_ATTRS({"axes", OQ_ATTR_INTS, false}, {"keepdims", OQ_ATTR_INT, false}),                  \
        .infer = oq_infer_reduce, .run = run                                                                 \
    }
#define OQ_VERSION_REDUCE(SINCE, SET, UPGRADE)                                                               \
    {                                                                                                        \
        .since = SINCE, .signature = "data:T, axes?:int64 -> reduced:T", .types = OQ_TYPES({"T", SET}),      \
        .attrs = OQ_ATTRS({"noop_with_empty_axes", OQ_ATTR_INT, false}, {"keepdims", OQ_ATTR_INT, false}),   \
        .infer = oq_infer_reduce, .run = run, .upgrade = UPGRADE                                             \
    }
// Until opset 17; what most of them allow, before 13 and since.
#define OQ_VERSIONS_REDUCE_1_11                                                                              \
    OQ_VERSION_REDUCE_ATTR(1, OQ_REDUCE_TYPES_1), OQ_VERSION_REDUCE_ATTR(11, OQ_REDUCE_TYPES_1)
#define OQ_REDUCE_TYPES_1  (OQ_T_FLOATS3 | OQ_T_INDEX | OQ_T(UINT32) | OQ_T(UINT64))
#define OQ_REDUCE_TYPES_13 (OQ_T_FLOATS4 | OQ_T_INDEX | OQ_T(UINT32) | OQ_T(UINT64))
#define OQ_VERSIONS_REDUCE                                                                                   \
    OQ_VERSIONS_REDUCE_1_11, OQ_VERSION_REDUCE_ATTR(13, OQ_REDUCE_TYPES_13),                                 \
        OQ_VERSION_REDUCE(18, OQ_REDUCE_TYPES_13, oq_upgrade_reduce)
// ReduceMax and ReduceMin: 8-bit integers since 12, bool since 20.
#define OQ_REDUCE_NO_16 (OQ_T(INT16) | OQ_T(UINT16))
#define OQ_VERSIONS_REDUCE_EXTREME                                                                           \
    OQ_VERSIONS_REDUCE_1_11, OQ_VERSION_REDUCE_ATTR(12, OQ_T_NUMERIC3 & ~OQ_REDUCE_NO_16),                   \
        OQ_VERSION_REDUCE_ATTR(13, OQ_T_NUMERIC4 & ~OQ_REDUCE_NO_16),                                        \
        OQ_VERSION_REDUCE(18, OQ_T_NUMERIC4 & ~OQ_REDUCE_NO_16, oq_upgrade_reduce),                          \
        OQ_VERSION_REDUCE(20, (OQ_T_NUMERIC4 & ~OQ_REDUCE_NO_16) | OQ_T(BOOL), NULL)

#endif
