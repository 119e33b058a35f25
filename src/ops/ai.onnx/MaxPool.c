// MaxPool: the greatest element of each window, and where it was.
#include "ops/lib/array.h"
#include "ops/lib/infer.h"
#include "ops/lib/window.h"

#include <math.h>

typedef struct max_pool {
    oq_window window;
    double start; // what a window without any element gives
    bool column_major;
    int64_t *indices; // of the whole output, or NULL
    oq_work_type work;
    // of the plane at hand
    const void *x;
    void *y;
    int64_t *best; // offsets inside the plane, or NULL
} max_pool;

static oq_status infer(oq_infer_context *context, oq_error *err) {
    OQ_TRY(oq_window_infer_pool(context, err));
    if (context->output_count > 1) {
        oq_infer_set(context, 1, ONNXQ_INT64, context->out[0].rank, context->out[0].dim);
    }
    return ONNXQ_OK;
}

// The first of equal elements stays; NaN wins over everything.
#define MAX_SPAN(NAME, T)                                                                                    \
    static void NAME(void *self, const oq_window_span *span) {                                               \
        const max_pool *pool = self;                                                                         \
        const T *x = (const T *)pool->x + span->x;                                                           \
        T *y = (T *)pool->y + span->y;                                                                       \
        int64_t *best = pool->best ? pool->best + span->y : NULL;                                            \
        if (!best) {                                                                                         \
            for (size_t i = 0; i < span->count; i++) {                                                       \
                const T value = x[i * span->x_stride];                                                       \
                y[i] = value > y[i] || value != value ? value : y[i];                                        \
            }                                                                                                \
            return;                                                                                          \
        }                                                                                                    \
        for (size_t i = 0; i < span->count; i++) {                                                           \
            const T value = x[i * span->x_stride];                                                           \
            if (best[i] >= 0 && !(value > y[i]) && value == value) continue;                                 \
            y[i] = value;                                                                                    \
            best[i] = (int64_t)(span->x + i * span->x_stride);                                               \
        }                                                                                                    \
    }
MAX_SPAN(max_span_f32, float)
MAX_SPAN(max_span_f64, double)

// Offset inside a plane as the standard counts it when storage_order is 1: the first spatial axis fastest.
static int64_t column_major(const oq_window *w, int64_t offset) {
    int64_t at[OQ_WINDOW_MAX];
    int64_t out = 0;
    for (int axis = w->spatial - 1; axis >= 0; axis--) {
        at[axis] = offset % w->in[axis];
        offset /= w->in[axis];
    }
    for (int axis = w->spatial - 1; axis >= 0; axis--) out = out * w->in[axis] + at[axis];
    return out;
}

static void visit(void *self, size_t plane, const void *x, void *y) {
    max_pool *pool = self;
    const size_t count = oq_window_out_plane(&pool->window);
    pool->x = x;
    pool->y = y;
    pool->best = pool->indices ? pool->indices + plane * count : NULL;
    for (size_t i = 0; i < count; i++) {
        if (pool->work == OQ_WORK_F32) {
            ((float *)y)[i] = (float)pool->start;
        } else {
            ((double *)y)[i] = pool->start;
        }
        if (pool->best) pool->best[i] = -1;
    }
    oq_window_spans(&pool->window, pool->work == OQ_WORK_F32 ? max_span_f32 : max_span_f64, pool);
    const int64_t first = (int64_t)(plane * oq_window_in_plane(&pool->window));
    for (size_t i = 0; i < count && pool->best; i++) {
        const int64_t offset = pool->best[i] < 0 ? 0 : pool->best[i];
        pool->best[i] = first + (pool->column_major ? column_major(&pool->window, offset) : offset);
    }
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    const oq_dtype_traits *traits = oq_dtype_info(x->dtype);
    max_pool pool = {.column_major = oq_node_int(context->node, "storage_order", 0) != 0,
                     .start = traits->is_integer ? (double)traits->min : -(double)INFINITY,
                     .work = x->dtype == ONNXQ_DOUBLE ? OQ_WORK_F64 : OQ_WORK_F32};
    oq_shape shape;
    OQ_TRY(oq_window_plan_pool(context->node, &x->shape, &pool.window, &shape, err));
    oq_tensor *y = NULL;
    OQ_TRY(oq_out(context, 0, x->dtype, &shape, &y, err));
    if (oq_wanted(context, 1)) {
        oq_tensor *indices = NULL;
        OQ_TRY(oq_out(context, 1, ONNXQ_INT64, &shape, &indices, err));
        pool.indices = indices->data;
    }
    const oq_planes planes = {.work = pool.work,
                              .x = x,
                              .y = y,
                              .count = (size_t)(x->shape.dim[0] * x->shape.dim[1]),
                              .x_plane = oq_window_in_plane(&pool.window),
                              .y_plane = oq_window_out_plane(&pool.window),
                              .visit = visit,
                              .self = &pool};
    return oq_planes_run(context, &planes, err);
}

#define RUNS .infer = infer, .run = run
#define T8   (OQ_T(INT8) | OQ_T(UINT8))
static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_8[] = {{"T", OQ_T_FLOATS3}, {"I", OQ_T(INT64)}, {0}};
static const oq_type_set types_12[] = {{"T", OQ_T_FLOATS3 | T8}, {"I", OQ_T(INT64)}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4 | T8}, {"I", OQ_T(INT64)}, {0}};
static const oq_attr_spec attrs_1[] = {{"auto_pad", OQ_ATTR_STRING, false},
                                       {"kernel_shape", OQ_ATTR_INTS, true},
                                       {"pads", OQ_ATTR_INTS, false},
                                       {"strides", OQ_ATTR_INTS, false},
                                       {0}};
static const oq_attr_spec attrs_8[] = {
    {"auto_pad", OQ_ATTR_STRING, false}, {"kernel_shape", OQ_ATTR_INTS, true},
    {"pads", OQ_ATTR_INTS, false},       {"storage_order", OQ_ATTR_INT, false},
    {"strides", OQ_ATTR_INTS, false},    {0}};
static const oq_attr_spec attrs_10[] = {
    {"auto_pad", OQ_ATTR_STRING, false}, {"ceil_mode", OQ_ATTR_INT, false},
    {"dilations", OQ_ATTR_INTS, false},  {"kernel_shape", OQ_ATTR_INTS, true},
    {"pads", OQ_ATTR_INTS, false},       {"storage_order", OQ_ATTR_INT, false},
    {"strides", OQ_ATTR_INTS, false},    {0}};

static const oq_op_version versions[] = {
    {.since = 1, .signature = "X:T -> Y:T", .types = types_1, .attrs = attrs_1, RUNS},
    {.since = 8, .signature = "X:T -> Y:T, Indices?:I", .types = types_8, .attrs = attrs_8, RUNS},
    {.since = 10, .signature = "X:T -> Y:T, Indices?:I", .types = types_8, .attrs = attrs_10, RUNS},
    {.since = 11, .signature = "X:T -> Y:T, Indices?:I", .types = types_8, .attrs = attrs_10, RUNS},
    {.since = 12, .signature = "X:T -> Y:T, Indices?:I", .types = types_12, .attrs = attrs_10, RUNS},
    {.since = 22, .signature = "X:T -> Y:T, Indices?:I", .types = types_22, .attrs = attrs_10, RUNS},
};
OQ_ONNX_OP(MaxPool, versions);
