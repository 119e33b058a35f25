// CausalConvWithState: a depthwise convolution over time that continues from the positions before its input.
#include "ops/lib/array.h"
#include "ops/lib/infer.h"
#include "ops/lib/schema.h"

#include "base/math.h"

#include <string.h>

enum { INPUT, WEIGHT, BIAS, PAST };

static oq_status read_activation(const oq_node *node, bool *swish, oq_error *err) {
    const char *name = oq_node_string(node, "activation", "none");
    *swish = strcmp(name, "silu") == 0 || strcmp(name, "swish") == 0;
    if (*swish || strcmp(name, "none") == 0) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL, "activation of CausalConvWithState is '%s', not silu, swish or none",
                   name);
}

static oq_status check_shapes(const oq_run_context *context, oq_shape *states, oq_error *err) {
    const oq_tensor *bias = oq_in(context, BIAS), *past = oq_in(context, PAST);
    const oq_shape *x = &oq_in(context, INPUT)->shape, *w = &oq_in(context, WEIGHT)->shape;
    const bool fits =
        x->rank == 3 && w->rank == 3 && w->dim[0] == x->dim[1] && w->dim[1] == 1 && w->dim[2] > 0;
    if (fits) *states = OQ_SHAPE(x->dim[0], x->dim[1], w->dim[2] - 1);
    if (!fits || (past && !oq_shape_equal(&past->shape, states)) ||
        (bias && (bias->shape.rank != 1 || bias->shape.dim[0] != x->dim[1])))
        return oq_fail(
            err, ONNXQ_BAD_MODEL,
            "CausalConvWithState needs an input [batch, channels, length], a weight [channels, 1, k], "
            "a bias [channels] and a past_state [batch, channels, k - 1]");
    return ONNXQ_OK;
}

// `joined` holds the `k` - 1 positions before the `length` of the input, then those.
static void convolve(const float *joined, const float *weight, size_t k, float bias, bool swish, float *y,
                     size_t length) {
    for (size_t t = 0; t < length; t++) {
        float sum = bias;
        for (size_t i = 0; i < k; i++) sum += joined[t + i] * weight[i];
        y[t] = swish ? sum * oq_sigmoidf(sum) : sum;
    }
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x = oq_in(context, INPUT);
    const void *in[4] = {NULL};
    oq_shape states;
    bool swish;
    oq_array_target y, state;
    void *joined;
    OQ_TRY(read_activation(context->node, &swish, err));
    OQ_TRY(check_shapes(context, &states, err));
    for (size_t i = INPUT; i <= PAST; i++)
        if (oq_in(context, i)) OQ_TRY(oq_array_in(context, oq_in(context, i), OQ_WORK_F32, &in[i], err));
    OQ_TRY(oq_array_out(context, 0, x->dtype, &x->shape, OQ_WORK_F32, &y, err));
    OQ_TRY(oq_array_out(context, 1, x->dtype, &states, OQ_WORK_F32, &state, err));
    const size_t before = (size_t)states.dim[2], length = (size_t)x->shape.dim[2];
    const size_t channels = (size_t)x->shape.dim[1], rows = (size_t)x->shape.dim[0] * channels;
    OQ_TRY(oq_scratch_array(context, before + length, sizeof(float), &joined, err));
    float *line = joined;
    for (size_t row = 0; row < rows; row++) {
        const size_t channel = row % channels;
        for (size_t i = 0; i < before; i++)
            line[i] = in[PAST] ? ((const float *)in[PAST])[row * before + i] : 0;
        for (size_t i = 0; i < length; i++) line[before + i] = ((const float *)in[INPUT])[row * length + i];
        convolve(line, (const float *)in[WEIGHT] + channel * (before + 1), before + 1,
                 in[BIAS] ? ((const float *)in[BIAS])[channel] : 0, swish, (float *)y.data + row * length,
                 length);
        for (size_t i = 0; i < before; i++) ((float *)state.data)[row * before + i] = line[length + i];
    }
    oq_array_finish(&y);
    oq_array_finish(&state);
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_dim k = oq_infer_dim(context, WEIGHT, 2);
    const oq_dim state[] = {oq_infer_dim(context, INPUT, 0), oq_infer_dim(context, INPUT, 1),
                            oq_dim_known(k) && k.size > 0 ? oq_dim_of(k.size - 1) : OQ_DIM_ANONYMOUS};
    OQ_TRY(oq_infer_unary(context, err));
    oq_infer_set(context, 1, oq_infer_dtype(context, INPUT), 3, state);
    if (oq_infer_given(context, PAST) && oq_infer_rank(context, PAST) == 3) oq_infer_same(context, 1, PAST);
    return ONNXQ_OK;
}

static const oq_op_version versions[] = {
    {.since = 27,
     .signature = "input:T, weight:T, bias?:T, past_state?:T -> output:T, present_state:T",
     .types = OQ_TYPES({"T", OQ_T_FLOAT32 | OQ_T(FLOAT16) | OQ_T(BFLOAT16)}),
     .attrs = OQ_ATTRS({"activation", OQ_ATTR_STRING, false}),
     .infer = infer,
     .run = run},
};

OQ_ONNX_OP(CausalConvWithState, versions);
