// Normalization of rows.
#include "ops/lib/norm.h"

#include "kernels/rows.h"
#include "ops/lib/infer.h"

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
    const oq_tensor *x = norm->x ? norm->x : oq_in(context, 0);
    state s = {.norm = norm, .work = oq_dtype_info(x->dtype)->work};
    oq_tensor *y = NULL;
    const size_t size = oq_work_bytes(s.work);
    OQ_TRY(parameters(context, &s, norm->scale, "scale", &s.scale, err));
    OQ_TRY(parameters(context, &s, norm->bias, "bias", &s.bias, err));
    OQ_TRY(norm->x ? oq_out(context, 0, norm->y_dtype, &x->shape, &y, err)
                   : oq_out_reuse(context, 0, 0, norm->y_dtype, &x->shape, &y, err));
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
    if (norm->mean) oq_work_store_as(s.work, norm->mean->dtype, s.mean, norm->mean->data, norm->rows);
    if (norm->inverse)
        oq_work_store_as(s.work, norm->inverse->dtype, s.inverse, norm->inverse->data, norm->rows);
    return ONNXQ_OK;
}

// Outputs Mean (where there is one) and InvStdDev behind it, in the element type of stash_type.
static oq_status stashes(oq_run_context *context, const oq_shape *x, int axis, oq_norm *norm, oq_error *err) {
    const oq_dtype dtype = (oq_dtype)oq_node_int(context->node, "stash_type", ONNXQ_FLOAT);
    const size_t inverse = norm->center ? 2 : 1;
    oq_shape shape = *x;
    for (int i = axis; i < shape.rank; i++) shape.dim[i] = 1;
    if (!oq_wanted(context, 1) && !oq_wanted(context, 2)) return ONNXQ_OK;
    if (dtype != ONNXQ_FLOAT && dtype != ONNXQ_BFLOAT16) {
        return oq_fail(err, ONNXQ_BAD_MODEL, "stash_type %d is neither float32 nor bfloat16", (int)dtype);
    }
    if (norm->center && oq_wanted(context, 1)) OQ_TRY(oq_out(context, 1, dtype, &shape, &norm->mean, err));
    if (oq_wanted(context, inverse)) OQ_TRY(oq_out(context, inverse, dtype, &shape, &norm->inverse, err));
    return ONNXQ_OK;
}

oq_status oq_norm_stash_type(oq_infer_context *context, oq_type *out, oq_error *err) {
    *out = *oq_infer_in(context, 0);
    out->dtype = (oq_dtype)oq_node_int(context->node, "stash_type", ONNXQ_FLOAT);
    if (out->rank < 0) return ONNXQ_OK;
    int axis = 0;
    OQ_TRY(oq_infer_axis(context, oq_node_int(context->node, "axis", -1), out->rank, &axis, err));
    for (int i = axis; i < out->rank; i++) out->dim[i] = oq_dim_of(1);
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

// x + skip (+ bias), broadcast to x, as float32 in scratch and as output 3 where that is wanted.
static oq_status add_skip(oq_run_context *context, size_t bias, oq_tensor *sum, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    const oq_tensor *const more[] = {oq_in(context, 1), oq_in(context, bias)};
    const size_t count = (size_t)oq_tensor_count(x);
    *sum = (oq_tensor){.dtype = ONNXQ_FLOAT, .shape = x->shape};
    OQ_TRY(oq_scratch_array(context, count, sizeof(float), &sum->data, err));
    oq_load_f32(x->dtype, x->data, sum->data, count);
    for (size_t k = 0; k < 2; k++) {
        const void *values = NULL;
        if (!more[k]) continue;
        OQ_TRY(oq_array_expand(context, more[k], &x->shape, OQ_WORK_F32, &values, err));
        oq_rows_binary_f32(OQ_ROWS_ADD, sum->data, 1, values, 1, sum->data, count);
    }
    if (!oq_wanted(context, 3)) return ONNXQ_OK;
    oq_tensor *out = NULL;
    OQ_TRY(oq_out(context, 3, x->dtype, &x->shape, &out, err));
    oq_store_f32(x->dtype, sum->data, out->data, count);
    return ONNXQ_OK;
}

oq_status oq_norm_run_skip(oq_run_context *context, bool center, size_t beta, size_t bias, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    const int rank = x->shape.rank;
    oq_tensor sum;
    if (rank < 1)
        return oq_fail(err, ONNXQ_BAD_MODEL, "%s needs an axis to normalize", context->node->op_type);
    OQ_TRY(add_skip(context, bias, &sum, err));
    oq_norm norm = {.rows = (size_t)oq_shape_range_count(&x->shape, 0, rank - 1),
                    .parts = (size_t)x->shape.dim[rank - 1],
                    .part_size = 1,
                    .period = 1,
                    .center = center,
                    .x = &sum,
                    .epsilon = (double)oq_node_float(context->node, "epsilon", 1e-12F),
                    .scale = oq_in(context, 2),
                    .bias = oq_in(context, beta),
                    .y_dtype = x->dtype};
    oq_shape shape = x->shape;
    shape.dim[rank - 1] = 1;
    if (oq_wanted(context, 1)) OQ_TRY(oq_out(context, 1, ONNXQ_FLOAT, &shape, &norm.mean, err));
    if (oq_wanted(context, 2)) OQ_TRY(oq_out(context, 2, ONNXQ_FLOAT, &shape, &norm.inverse, err));
    return oq_norm_run(context, &norm, err);
}

oq_status oq_norm_infer_skip(oq_infer_context *context, oq_error *err) {
    oq_type stash;
    if (!oq_infer_in(context, 0)) return ONNXQ_OK;
    OQ_TRY(oq_norm_stash_type(context, &stash, err));
    for (size_t i = 0; i < context->output_count; i++) {
        if (i == 0 || i == 3) {
            oq_infer_same(context, i, 0);
        } else {
            oq_infer_set_type(context, i, &stash);
        }
    }
    return ONNXQ_OK;
}
