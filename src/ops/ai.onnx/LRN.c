// LRN: y = x / (bias + alpha / size * sum of squares over the channels around)^beta.
#include "base/math.h"
#include "ops/lib/array.h"
#include "ops/lib/infer.h"

#include <math.h>

typedef struct lrn {
    size_t channels, part; // one image as [channels, part]
    size_t before, behind; // channels of the window on either side
    double bias, beta, scale;
    oq_work_type work;
} lrn;

#define NORMALIZE(NAME, T, POWER)                                                                            \
    static void NAME(const lrn *l, const T *x, T *y) {                                                       \
        for (size_t c = 0; c < l->channels; c++) {                                                           \
            const size_t from = c > l->before ? c - l->before : 0;                                           \
            const size_t last = l->channels - 1 - c > l->behind ? c + l->behind : l->channels - 1;           \
            T *to = y + c * l->part;                                                                         \
            for (size_t i = 0; i < l->part; i++) to[i] = 0;                                                  \
            for (size_t k = from; k <= last; k++) {                                                          \
                const T *other = x + k * l->part;                                                            \
                for (size_t i = 0; i < l->part; i++) to[i] += other[i] * other[i];                           \
            }                                                                                                \
            for (size_t i = 0; i < l->part; i++) {                                                           \
                to[i] = x[c * l->part + i] / POWER((T)l->bias + (T)l->scale * to[i], (T)l->beta);            \
            }                                                                                                \
        }                                                                                                    \
    }
NORMALIZE(normalize_f32, float, oq_powf)
NORMALIZE(normalize_f64, double, pow)

static void visit(void *self, size_t image, const void *x, void *y) {
    const lrn *l = self;
    (void)image;
    if (l->work == OQ_WORK_F32) {
        normalize_f32(l, x, y);
    } else {
        normalize_f64(l, x, y);
    }
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, 0);
    const int64_t size = oq_node_int(context->node, "size", 0);
    if (x->shape.rank < 2 || size < 1) {
        return oq_fail(err, ONNXQ_BAD_MODEL,
                       "LRN needs images with channels (rank %d) and a size of at least 1", x->shape.rank);
    }
    lrn l = {.channels = (size_t)x->shape.dim[1],
             .part = (size_t)oq_shape_range_count(&x->shape, 2, x->shape.rank),
             .before = (size_t)((size - 1) / 2),
             .behind = (size_t)(size / 2),
             .bias = (double)oq_node_float(context->node, "bias", 1.0F),
             .beta = (double)oq_node_float(context->node, "beta", 0.75F),
             .scale = (double)oq_node_float(context->node, "alpha", 0.0001F) / (double)size,
             .work = oq_dtype_info(x->dtype)->work};
    oq_tensor *y = NULL;
    OQ_TRY(oq_out(context, 0, x->dtype, &x->shape, &y, err));
    const oq_planes planes = {.work = l.work,
                              .x = x,
                              .y = y,
                              .count = oq_tensor_count(x) ? (size_t)x->shape.dim[0] : 0,
                              .x_plane = l.channels * l.part,
                              .y_plane = l.channels * l.part,
                              .visit = visit,
                              .self = &l};
    return oq_planes_run(context, &planes, err);
}

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_13[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs[] = {{"alpha", OQ_ATTR_FLOAT, false},
                                     {"beta", OQ_ATTR_FLOAT, false},
                                     {"bias", OQ_ATTR_FLOAT, false},
                                     {"size", OQ_ATTR_INT, true},
                                     {0}};

#define RUNS .signature = "X:T -> Y:T", .attrs = attrs, .infer = oq_infer_unary, .run = run
static const oq_op_version versions[] = {
    {.since = 1, .types = types_1, RUNS},
    {.since = 13, .types = types_13, RUNS},
};
OQ_ONNX_OP(LRN, versions);
