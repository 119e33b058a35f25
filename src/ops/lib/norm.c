// Normalization of rows.
#include "ops/lib/norm.h"

#include "kernels/rows.h"

#include <math.h>

typedef struct state {
    const oq_norm *norm;
    oq_work_type work;
    const void *scale, *bias; // working type
    void *mean, *inverse;     // [rows] or NULL
} state;

static double sum_f64(const double *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    return sum;
}

static double sum_squares_f64(const double *x, double center, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (x[i] - center) * (x[i] - center);
    return sum;
}

#define NORMALIZE(NAME, T, SUM, SUM_SQUARES, ROOT)                                                           \
    static void NAME(const state *s, size_t row, const T *x, T *y) {                                         \
        const oq_norm *norm = s->norm;                                                                       \
        const size_t n = norm->parts * norm->part_size;                                                      \
        const T mean = norm->center ? SUM(x, n) / (T)n : 0;                                                  \
        const T inverse = 1 / ROOT(SUM_SQUARES(x, mean, n) / (T)n + (T)norm->epsilon);                       \
        const T *scale = (const T *)s->scale + row % norm->period * norm->parts;                             \
        const T *bias = s->bias ? (const T *)s->bias + row % norm->period * norm->parts : NULL;              \
        if (s->mean) ((T *)s->mean)[row] = mean;                                                             \
        if (s->inverse) ((T *)s->inverse)[row] = inverse;                                                    \
        if (norm->part_size == 1) {                                                                          \
            for (size_t i = 0; i < n; i++) y[i] = (x[i] - mean) * inverse * scale[i];                        \
            for (size_t i = 0; i < n && bias; i++) y[i] += bias[i];                                          \
            return;                                                                                          \
        }                                                                                                    \
        for (size_t p = 0; p < norm->parts; p++) {                                                           \
            const T add = bias ? bias[p] : 0;                                                                \
            for (size_t i = p * norm->part_size; i < (p + 1) * norm->part_size; i++) {                       \
                y[i] = (x[i] - mean) * inverse * scale[p] + add;                                             \
            }                                                                                                \
        }                                                                                                    \
    }
NORMALIZE(normalize_f32, float, oq_rows_sum, oq_rows_sum_squares, sqrtf)
NORMALIZE(normalize_f64, double, sum_f64, sum_squares_f64, sqrt)

static void visit(void *self, size_t row, const void *x, void *y) {
    const state *s = self;
    if (s->work == OQ_WORK_F32) {
        normalize_f32(s, row, x, y);
    } else {
        normalize_f64(s, row, x, y);
    }
}

// Scale or bias as an array of the working type with one value per part and row of the period.
static oq_status parameters(oq_run_context *context, const state *s, const oq_tensor *tensor,
                            const char *what, const void **out, oq_error *err) {
    const oq_norm *norm = s->norm;
    const size_t needed = norm->period * norm->parts;
    *out = NULL;
    if (!tensor) return ONNXQ_OK;
    if (norm->broadcast) return oq_array_expand(context, tensor, norm->broadcast, s->work, out, err);
    if ((size_t)oq_tensor_count(tensor) != needed) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "%s has %lld values where %zu are needed", what,
                       (long long)oq_tensor_count(tensor), needed);
    }
    return oq_array_in(context, tensor, s->work, out, err);
}

oq_status oq_norm_run(oq_run_context *context, const oq_norm *norm, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    state s = {.norm = norm, .work = oq_dtype_info(x->dtype)->work};
    oq_tensor *y = NULL;
    const size_t size = oq_work_bytes(s.work);
    OQ_TRY(parameters(context, &s, norm->scale, "scale", &s.scale, err));
    OQ_TRY(parameters(context, &s, norm->bias, "bias", &s.bias, err));
    OQ_TRY(oq_out_reuse(context, 0, 0, norm->y_dtype, &x->shape, &y, err));
    if (norm->mean) OQ_TRY(oq_scratch_array(context, norm->rows, size, &s.mean, err));
    if (norm->inverse) OQ_TRY(oq_scratch_array(context, norm->rows, size, &s.inverse, err));
    const oq_planes planes = {.work = s.work,
                              .x = x,
                              .y = y,
                              .count = norm->rows,
                              .x_plane = norm->parts * norm->part_size,
                              .y_plane = norm->parts * norm->part_size,
                              .visit = visit,
                              .self = &s};
    if (oq_tensor_count(x)) OQ_TRY(oq_planes_run(context, &planes, err));
    if (norm->mean) oq_array_store(s.work, norm->mean->dtype, s.mean, norm->mean->data, norm->rows);
    if (norm->inverse)
        oq_array_store(s.work, norm->inverse->dtype, s.inverse, norm->inverse->data, norm->rows);
    return ONNXQ_OK;
}

// Outputs Mean and InvStdDev, in the element type of stash_type.
static oq_status stashes(oq_run_context *context, const oq_shape *x, int axis, oq_norm *norm, oq_error *err) {
    const oq_dtype dtype = (oq_dtype)oq_node_int(context->node, "stash_type", ONNXQ_FLOAT);
    oq_shape shape = *x;
    for (int i = axis; i < shape.rank; i++) shape.dim[i] = 1;
    if (!oq_wanted(context, 1) && !oq_wanted(context, 2)) return ONNXQ_OK;
    if (dtype != ONNXQ_FLOAT && dtype != ONNXQ_BFLOAT16) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "stash_type %d is neither float32 nor bfloat16", (int)dtype);
    }
    if (oq_wanted(context, 1)) OQ_TRY(oq_out(context, 1, dtype, &shape, &norm->mean, err));
    if (oq_wanted(context, 2)) OQ_TRY(oq_out(context, 2, dtype, &shape, &norm->inverse, err));
    return ONNXQ_OK;
}

oq_status oq_norm_run_axis(oq_run_context *context, bool center, oq_dtype y_dtype, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    const oq_tensor *scale = oq_in(context, 1);
    const oq_tensor *bias = oq_in(context, 2);
    const int64_t asked = oq_node_int(context->node, "axis", -1);
    const double epsilon = (double)oq_node_float(context->node, "epsilon", 1e-5F);
    int axis = 0;
    if (!oq_axis_normalize(asked, x->shape.rank, &axis)) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "axis %lld is out of range for rank %d", (long long)asked,
                       x->shape.rank);
    }
    oq_norm norm = {.rows = (size_t)oq_shape_range_count(&x->shape, 0, axis),
                    .parts = (size_t)oq_shape_range_count(&x->shape, axis, x->shape.rank),
                    .part_size = 1,
                    .period = 1,
                    .center = center,
                    .epsilon = epsilon,
                    .scale = scale,
                    .bias = bias,
                    .y_dtype = y_dtype};
    const int64_t each = (int64_t)norm.parts;
    const int tail = x->shape.rank - axis;
    const bool simple = oq_tensor_count(scale) == each && scale->shape.rank <= tail &&
                        (!bias || (oq_tensor_count(bias) == each && bias->shape.rank <= tail));
    if (!simple) {
        norm.period = norm.rows;
        norm.broadcast = &x->shape;
    }
    OQ_TRY(stashes(context, &x->shape, axis, &norm, err));
    return oq_norm_run(context, &norm, err);
}
