// FusedConv: Conv, plus a tensor Z of the output's shape, then an activation.
#include "ops/lib/activation.h"
#include "ops/lib/convolution_float.h"
#include "ops/lib/infer.h"
#include "ops/lib/product.h"

#include <math.h>
#include <string.h>

enum { X, W, BIAS, Z };

static oq_status infer(oq_infer_context *context, oq_error *err) {
    return oq_convolution_infer(context, X, W, oq_infer_dtype(context, X), err);
}

// The function by name, its parameters from activation_params; Clip (min, max) has no formula among the
// others.
static oq_status read_activation(const oq_node *node, bool *clips, oq_activation *out, oq_error *err) {
    const char *name = oq_node_string(node, "activation", "");
    const oq_attr *given = oq_node_attr(node, "activation_params");
    const size_t count = given ? given->count : 0;
    *clips = strcmp(name, "Clip") == 0;
    *out = (oq_activation){.alpha = -(double)INFINITY, .beta = (double)INFINITY};
    if (*name && !*clips) OQ_TRY(oq_activation_find(name, out, err));
    if (count > 0) out->alpha = (double)given->floats[0];
    if (count > 1) out->beta = (double)given->floats[1];
    return ONNXQ_OK;
}

// y = activation(y + z), z may be NULL.
#define ACTIVATE(SUFFIX, T)                                                                                  \
    static void activate_##SUFFIX(const oq_activation *f, bool clips, const T *z, T *y, size_t n) {          \
        const T alpha = (T)f->alpha;                                                                         \
        const T beta = (T)f->beta;                                                                           \
        for (size_t i = 0; i < n; i++) {                                                                     \
            const T x = z ? y[i] + z[i] : y[i];                                                              \
            const T bounded = x < alpha ? alpha : x > beta ? beta : x;                                       \
            y[i] = clips ? bounded : f->SUFFIX ? f->SUFFIX(x, alpha, beta) : x;                              \
        }                                                                                                    \
    }
ACTIVATE(f32, float)
ACTIVATE(f64, double)

// Output 0 in place, a block at a time.
static oq_status finish(oq_run_context *context, oq_error *err) {
    const oq_tensor *z = oq_in(context, Z);
    const oq_tensor *y = &context->out[0].tensor;
    const size_t bytes = oq_dtype_bytes(y->dtype);
    const size_t count = (size_t)oq_tensor_count(y);
    oq_activation f;
    bool clips = false;
    oq_block more;
    oq_block values;
    OQ_TRY(read_activation(context->node, &clips, &f, err));
    if (z && !oq_shape_equal(&z->shape, &y->shape))
        return oq_fail(err, ONNXQ_BAD_MODEL, "Z of FusedConv does not have the shape of the output");
    for (size_t at = 0; at < count; at += OQ_BLOCK) {
        const size_t n = oq_min_size(OQ_BLOCK, count - at);
        void *to = oq_at_mutable(y->data, at, bytes);
        oq_work_load(y->dtype, to, &values, n);
        if (z) oq_work_load(z->dtype, oq_at(z->data, at, bytes), &more, n);
        if (y->dtype == ONNXQ_DOUBLE) {
            activate_f64(&f, clips, z ? more.f64 : NULL, values.f64, n);
        } else {
            activate_f32(&f, clips, z ? more.f32 : NULL, values.f32, n);
        }
        oq_work_store(y->dtype, &values, to, n);
    }
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    OQ_TRY(oq_convolution_float_run(context, err));
    return finish(context, err);
}

static uint64_t macs(const oq_graph *graph, const oq_node *node) {
    return oq_convolution_macs(graph, node, W);
}

static const oq_type_set types[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_attr_spec attrs[] = {{"activation", OQ_ATTR_STRING, false},
                                     {"activation_params", OQ_ATTR_FLOATS, false},
                                     OQ_CONVOLUTION_ATTRS,
                                     {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "X:T, W:T, B?:T, Z?:T -> Y:T",
     .types = types,
     .attrs = attrs,
     .infer = infer,
     .run = run,
     .prepare = oq_convolution_float_prepare,
     .release = oq_packed_free,
     .spent = 1U << W,
     .macs = macs},
};
OQ_MICROSOFT_OP(FusedConv, versions);
