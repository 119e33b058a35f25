// Pools that sum over their windows.
#include "ops/lib/sum_pool.h"

#include "base/math.h"
#include "ops/lib/array.h"

#include <math.h>

typedef struct state {
    const oq_sum_pool *pool;
    oq_window window;
    oq_work_type work;
    double *counts; // AveragePool: elements of each window, [out...]
    const void *x;  // of the plane at hand
    void *y;
} state;

static float power_f32(float x, float p) {
    return p == 1.0F ? fabsf(x) : p == 2.0F ? x * x : oq_powf(fabsf(x), p);
}
static double power_f64(double x, double p) {
    return p == 1.0 ? fabs(x) : p == 2.0 ? x * x : pow(fabs(x), p);
}

float oq_root_f32(float sum, float p) {
    return p == 1.0F ? sum : p == 2.0F ? sqrtf(sum) : oq_powf(sum, 1.0F / p);
}
double oq_root_f64(double sum, double p) { return p == 1.0 ? sum : p == 2.0 ? sqrt(sum) : pow(sum, 1.0 / p); }

float oq_power_sum_f32(const float *x, size_t n, float p) {
    float sum = 0;
    for (size_t i = 0; i < n; i++) sum += power_f32(x[i], p);
    return sum;
}

double oq_power_sum_f64(const double *x, size_t n, double p) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += power_f64(x[i], p);
    return sum;
}

#define SUM_SPAN(NAME, T, POWER)                                                                             \
    static void NAME(void *self, const oq_window_span *span) {                                               \
        const state *s = self;                                                                               \
        const T *x = (const T *)s->x + span->x;                                                              \
        T *y = (T *)s->y + span->y;                                                                          \
        const T p = (T)s->pool->p;                                                                           \
        if (p == 0) {                                                                                        \
            for (size_t i = 0; i < span->count; i++) y[i] += x[i * span->x_stride];                          \
        } else {                                                                                             \
            for (size_t i = 0; i < span->count; i++) y[i] += POWER(x[i * span->x_stride], p);                \
        }                                                                                                    \
    }
SUM_SPAN(sum_span_f32, float, power_f32)
SUM_SPAN(sum_span_f64, double, power_f64)

#define FINISH(NAME, T, ROOT)                                                                                \
    static void NAME(const state *s, T *y, size_t count) {                                                   \
        for (size_t i = 0; i < count; i++) {                                                                 \
            y[i] = s->counts ? y[i] / (T)s->counts[i] : ROOT(y[i], (T)s->pool->p);                           \
        }                                                                                                    \
    }
FINISH(finish_f32, float, oq_root_f32)
FINISH(finish_f64, double, oq_root_f64)

static void visit(void *self, size_t plane, const void *x, void *y) {
    state *s = self;
    const size_t count = oq_window_out_plane(&s->window);
    (void)plane;
    s->x = x;
    s->y = y;
    if (s->work == OQ_WORK_F32) {
        for (size_t i = 0; i < count; i++) ((float *)y)[i] = 0;
        oq_window_spans(&s->window, sum_span_f32, s);
        finish_f32(s, y, count);
    } else {
        for (size_t i = 0; i < count; i++) ((double *)y)[i] = 0;
        oq_window_spans(&s->window, sum_span_f64, s);
        finish_f64(s, y, count);
    }
}

// Cells of the window at `place` along one axis that lie in the image, or in the image and its padding.
static int64_t cells_inside(const oq_window *w, int axis, int64_t place, bool with_pad) {
    const int64_t low = with_pad ? -w->pad_begin[axis] : 0;
    const int64_t high = w->in[axis] + (with_pad ? w->pad_end[axis] : 0);
    const int64_t first = place * w->stride[axis] - w->pad_begin[axis];
    const int64_t d = w->dilation[axis];
    const int64_t from = first < low ? (low - first + d - 1) / d : 0;
    const int64_t to = first < high ? (high - first + d - 1) / d : 0;
    const int64_t end = to < w->kernel[axis] ? to : w->kernel[axis];
    return end > from ? end - from : 0;
}

static void count_cells(const oq_window *w, const oq_sum_pool *pool, double *counts) {
    const size_t places = oq_window_out_plane(w);
    for (size_t i = 0; i < places; i++) {
        size_t rest = i;
        counts[i] = pool->count_all ? (double)oq_window_cells(w) : 1;
        if (pool->count_all) continue;
        for (int axis = w->spatial - 1; axis >= 0; axis--) {
            const int64_t place = (int64_t)(rest % (size_t)w->out[axis]);
            counts[i] *= (double)cells_inside(w, axis, place, pool->count_include_pad);
            rest /= (size_t)w->out[axis];
        }
    }
}

oq_status oq_sum_pool_apply(oq_run_context *context, const oq_sum_pool *pool, const oq_window *window,
                            const oq_tensor *x, oq_tensor *y, oq_error *err) {
    state s = {.pool = pool, .window = *window, .work = oq_dtype_info(x->dtype)->work};
    if (pool->p == 0) {
        void *counts = NULL;
        OQ_TRY(oq_scratch_array(context, oq_window_out_plane(&s.window), sizeof(double), &counts, err));
        s.counts = counts;
        count_cells(&s.window, pool, s.counts);
    }
    const oq_planes planes = {.work = s.work,
                              .x = x,
                              .y = y,
                              .count = (size_t)(x->shape.dim[0] * x->shape.dim[1]),
                              .x_plane = oq_window_in_plane(&s.window),
                              .y_plane = oq_window_out_plane(&s.window),
                              .visit = visit,
                              .self = &s};
    return oq_planes_run(context, &planes, err);
}

oq_status oq_sum_pool_run(oq_run_context *context, const oq_sum_pool *pool, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    oq_window window;
    oq_shape shape;
    oq_tensor *y = NULL;
    OQ_TRY(oq_window_plan_pool(context->node, &x->shape, &window, &shape, err));
    OQ_TRY(oq_out(context, 0, x->dtype, &shape, &y, err));
    return oq_sum_pool_apply(context, pool, &window, x, y, err);
}

oq_status oq_lp_pool_upgrade(oq_upgrade_context *context, oq_error *err) {
    const oq_attr *attr = oq_node_attr(context->node, "p");
    if (!attr || attr->kind != OQ_ATTR_FLOAT) return ONNXQ_OK;
    const float p = attr->f;
    if (!(p >= 1.0F && p < 1e6F) || p != (float)(int64_t)p) {
        return oq_fail(err, ONNXQ_UNSUPPORTED, "a pool with p = %g has no form in opset 2 and later",
                       (double)p);
    }
    oq_node_remove_attr(context->node, "p");
    return oq_node_set_int(context->graph, context->node, "p", (int64_t)p, err);
}
