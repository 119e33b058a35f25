// BatchNormalization: per channel (or, until opset 8, per activation), with given or with the batch's
// statistics.
#include "ops/lib/array.h"
#include "ops/lib/infer.h"

#include <math.h>

enum { X, SCALE, BIAS, MEAN, VARIANCE };

typedef struct batch_norm {
    size_t images, channels, part; // x as [images, channels, part]
    bool training;
    double epsilon, momentum;
    oq_work_type work;
    const void *in[5]; // SCALE.. in the working type, [channels]
    void *mean, *variance, *factor, *add;
} batch_norm;

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *x = oq_infer_in(context, X);
    (void)err;
    if (x) oq_infer_set_type(context, 0, x);
    for (size_t i = 1; i < context->output_count; i++) {
        const oq_type *statistic = oq_infer_in(context, MEAN);
        if (statistic) oq_infer_set_type(context, i, statistic);
    }
    return ONNXQ_OK;
}

// Mean and variance of every channel over the batch.
#define STATISTICS(NAME, T)                                                                                  \
    static void NAME(const batch_norm *b, const T *x, T *mean, T *variance) {                                \
        const double count = (double)b->images * (double)b->part;                                            \
        for (size_t c = 0; c < b->channels; c++) {                                                           \
            double sum = 0;                                                                                  \
            double squares = 0;                                                                              \
            for (size_t i = 0; i < b->images; i++) {                                                         \
                const T *from = x + (i * b->channels + c) * b->part;                                         \
                for (size_t k = 0; k < b->part; k++) sum += (double)from[k];                                 \
            }                                                                                                \
            const double center = sum / count;                                                               \
            for (size_t i = 0; i < b->images; i++) {                                                         \
                const T *from = x + (i * b->channels + c) * b->part;                                         \
                for (size_t k = 0; k < b->part; k++) {                                                       \
                    squares += ((double)from[k] - center) * ((double)from[k] - center);                      \
                }                                                                                            \
            }                                                                                                \
            mean[c] = (T)center;                                                                             \
            variance[c] = (T)(squares / count);                                                              \
        }                                                                                                    \
    }
STATISTICS(statistics_f32, float)
STATISTICS(statistics_f64, double)

// y = x * factor + add with factor = scale / sqrt(variance + epsilon), add = bias - mean * factor.
#define NORMALIZE(NAME, T, ROOT)                                                                             \
    static void NAME(const batch_norm *b, const T *x, T *y) {                                                \
        const T *scale = b->in[SCALE];                                                                       \
        const T *bias = b->in[BIAS];                                                                         \
        const T *mean = b->mean;                                                                             \
        const T *variance = b->variance;                                                                     \
        T *factor = b->factor;                                                                               \
        T *add = b->add;                                                                                     \
        for (size_t c = 0; c < b->channels; c++) {                                                           \
            factor[c] = scale[c] / ROOT(variance[c] + (T)b->epsilon);                                        \
            add[c] = bias[c] - mean[c] * factor[c];                                                          \
        }                                                                                                    \
        for (size_t i = 0; i < b->images; i++) {                                                             \
            for (size_t c = 0; c < b->channels; c++) {                                                       \
                const size_t from = (i * b->channels + c) * b->part;                                         \
                for (size_t k = from; k < from + b->part; k++) y[k] = x[k] * factor[c] + add[c];             \
            }                                                                                                \
        }                                                                                                    \
    }
NORMALIZE(normalize_f32, float, sqrtf)
NORMALIZE(normalize_f64, double, sqrt)

// old * momentum + new * (1 - momentum)
#define BLEND(NAME, T)                                                                                       \
    static void NAME(const batch_norm *b, const T *old, const T *new, T *out) {                              \
        const T momentum = (T)b->momentum;                                                                   \
        for (size_t c = 0; c < b->channels; c++) out[c] = old[c] * momentum + new[c] * (1 - momentum);       \
    }
BLEND(blend_f32, float)
BLEND(blend_f64, double)

static oq_status read_shape(const oq_run_context *context, bool spatial, batch_norm *b, oq_error *err) {
    const oq_shape *x = &oq_in(context, X)->shape;
    b->images = x->rank ? (size_t)x->dim[0] : 1;
    b->channels = x->rank > 1 ? (size_t)x->dim[1] : 1;
    b->part = x->rank > 2 ? (size_t)oq_shape_range_count(x, 2, x->rank) : 1;
    if (!spatial) {
        b->channels *= b->part;
        b->part = 1;
    }
    for (size_t i = SCALE; i <= VARIANCE; i++) {
        const int64_t count = oq_tensor_count(oq_in(context, i));
        if (count != (int64_t)b->channels) {
            return oq_fail(err, ONNXQ_BAD_MODEL, "input %zu has %lld values for %zu channels", i,
                           (long long)count, b->channels);
        }
    }
    return ONNXQ_OK;
}

// The statistics outputs of training: running mean and variance, then (until opset 13) those of the batch.
static oq_status write_statistics(oq_run_context *context, const batch_norm *b, oq_error *err) {
    const oq_tensor *old = oq_in(context, MEAN);
    void *blended = NULL;
    OQ_TRY(oq_scratch_array(context, b->channels, oq_work_bytes(b->work), &blended, err));
    for (size_t i = 1; i < 5; i++) {
        if (!oq_wanted(context, i)) continue;
        const bool is_mean = i % 2 == 1;
        const void *new = is_mean ? b->mean : b->variance;
        const void *values = new;
        oq_tensor *out = NULL;
        OQ_TRY(oq_out(context, i, old->dtype, &old->shape, &out, err));
        if (i < 3) {
            const void *from = b->in[is_mean ? MEAN : VARIANCE];
            if (b->work == OQ_WORK_F32) {
                blend_f32(b, from, new, blended);
            } else {
                blend_f64(b, from, new, blended);
            }
            values = blended;
        }
        oq_work_store_as(b->work, out->dtype, values, out->data, b->channels);
    }
    return ONNXQ_OK;
}

static oq_status run_with(oq_run_context *context, bool training, bool spatial, oq_error *err) {
    const oq_tensor *x = oq_in(context, X);
    batch_norm b = {.training = training,
                    .epsilon = (double)oq_node_float(context->node, "epsilon", 1e-5F),
                    .momentum = (double)oq_node_float(context->node, "momentum", 0.9F),
                    .work = OQ_WORK_F32};
    OQ_TRY(read_shape(context, spatial, &b, err));
    for (size_t i = X; i <= VARIANCE; i++) {
        if (oq_in(context, i)->dtype == ONNXQ_DOUBLE) b.work = OQ_WORK_F64;
    }
    for (size_t i = X; i <= VARIANCE; i++) {
        OQ_TRY(oq_array_in(context, oq_in(context, i), b.work, &b.in[i], err));
    }
    void **const blocks[] = {&b.mean, &b.variance, &b.factor, &b.add};
    for (size_t i = 0; i < 4; i++) {
        OQ_TRY(oq_scratch_array(context, b.channels, oq_work_bytes(b.work), blocks[i], err));
    }
    oq_array_target y;
    OQ_TRY(oq_array_out(context, 0, x->dtype, &x->shape, b.work, &y, err));
    if (!training) {
        b.mean = (void *)(uintptr_t)b.in[MEAN];
        b.variance = (void *)(uintptr_t)b.in[VARIANCE];
    }
    if (b.work == OQ_WORK_F32) {
        if (training) statistics_f32(&b, b.in[X], b.mean, b.variance);
        normalize_f32(&b, b.in[X], y.data);
    } else {
        if (training) statistics_f64(&b, b.in[X], b.mean, b.variance);
        normalize_f64(&b, b.in[X], y.data);
    }
    oq_array_finish(&y);
    return training ? write_statistics(context, &b, err) : ONNXQ_OK;
}

static bool is_spatial(const oq_node *node) { return oq_node_int(node, "spatial", 1) != 0; }

// Until 6 is_test says so, until 13 the number of outputs, then training_mode.
static oq_status run_1(oq_run_context *context, oq_error *err) {
    return run_with(context, oq_node_int(context->node, "is_test", 0) == 0, is_spatial(context->node), err);
}
static oq_status run_7(oq_run_context *context, oq_error *err) {
    return run_with(context, context->output_count > 1, is_spatial(context->node), err);
}
static oq_status run_14(oq_run_context *context, oq_error *err) {
    return run_with(context, oq_node_int(context->node, "training_mode", 0) != 0, true, err);
}

static oq_status upgrade_6(oq_upgrade_context *context, oq_error *err) {
    (void)err;
    oq_node_remove_attr(context->node, "consumed_inputs");
    return ONNXQ_OK;
}

static oq_status upgrade_7(oq_upgrade_context *context, oq_error *err) {
    if (oq_node_int(context->node, "is_test", 0) == 0) {
        return oq_fail(
            err, ONNXQ_UNSUPPORTED,
            "BatchNormalization in training mode (is_test = 0) has no form in later opsets: export the "
            "model for inference");
    }
    oq_node_remove_attr(context->node, "is_test");
    return ONNXQ_OK;
}

static oq_status upgrade_9(oq_upgrade_context *context, oq_error *err) {
    if (!is_spatial(context->node)) {
        return oq_fail(err, ONNXQ_UNSUPPORTED,
                       "BatchNormalization with spatial = 0 has no form in opset 9 and later");
    }
    oq_node_remove_attr(context->node, "spatial");
    return ONNXQ_OK;
}

static oq_status upgrade_14(oq_upgrade_context *context, oq_error *err) {
    if (context->node->output_count > 3) {
        return oq_fail(err, ONNXQ_UNSUPPORTED,
                       "the saved statistics of BatchNormalization have no form in opset 14 and later");
    }
    if (context->node->output_count < 2) return ONNXQ_OK;
    return oq_node_set_int(context->graph, context->node, "training_mode", 1, err);
}

#define SIGNATURE_1  "X:T, scale:T, B:T, mean:T, var:T -> Y:T, mean?:T, var?:T, saved_mean?:T, saved_var?:T"
#define SIGNATURE_14 "X:T, scale:T, B:T, input_mean:U, input_var:U -> Y:T, running_mean?:U, running_var?:U"
#define SIGNATURE_15                                                                                         \
    "X:T, scale:T1, B:T1, input_mean:T2, input_var:T2 -> Y:T, running_mean?:T2, running_var?:T2"
static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_14[] = {{"T", OQ_T_FLOATS4}, {"U", OQ_T_FLOATS4}, {0}};
static const oq_type_set types_15[] = {{"T", OQ_T_FLOATS4}, {"T1", OQ_T_FLOATS4}, {"T2", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs_1[] = {
    {"consumed_inputs", OQ_ATTR_INTS, true}, {"epsilon", OQ_ATTR_FLOAT, false},
    {"is_test", OQ_ATTR_INT, false},         {"momentum", OQ_ATTR_FLOAT, false},
    {"spatial", OQ_ATTR_INT, false},         {0}};
static const oq_attr_spec attrs_6[] = {{"epsilon", OQ_ATTR_FLOAT, false},
                                       {"is_test", OQ_ATTR_INT, false},
                                       {"momentum", OQ_ATTR_FLOAT, false},
                                       {"spatial", OQ_ATTR_INT, false},
                                       {0}};
static const oq_attr_spec attrs_7[] = {{"epsilon", OQ_ATTR_FLOAT, false},
                                       {"momentum", OQ_ATTR_FLOAT, false},
                                       {"spatial", OQ_ATTR_INT, false},
                                       {0}};
static const oq_attr_spec attrs_9[] = {
    {"epsilon", OQ_ATTR_FLOAT, false}, {"momentum", OQ_ATTR_FLOAT, false}, {0}};
static const oq_attr_spec attrs_14[] = {{"epsilon", OQ_ATTR_FLOAT, false},
                                        {"momentum", OQ_ATTR_FLOAT, false},
                                        {"training_mode", OQ_ATTR_INT, false},
                                        {0}};

#define OLD .signature = SIGNATURE_1, .types = types_1, .infer = infer
static const oq_op_version versions[] = {
    {.since = 1, OLD, .attrs = attrs_1, .run = run_1},
    {.since = 6, OLD, .attrs = attrs_6, .run = run_1, .upgrade = upgrade_6},
    {.since = 7, OLD, .attrs = attrs_7, .run = run_7, .upgrade = upgrade_7},
    {.since = 9, OLD, .attrs = attrs_9, .run = run_7, .upgrade = upgrade_9},
    {.since = 14,
     .signature = SIGNATURE_14,
     .types = types_14,
     .attrs = attrs_14,
     .infer = infer,
     .run = run_14,
     .upgrade = upgrade_14},
    {.since = 15,
     .signature = SIGNATURE_15,
     .types = types_15,
     .attrs = attrs_14,
     .infer = infer,
     .run = run_14},
};
OQ_ONNX_OP(BatchNormalization, versions);
