// SoftmaxCrossEntropyLoss: the negative log-likelihood loss of LogSoftmax over the classes (axis 1).
#include "ops/lib/loss.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x;
    OQ_TRY(oq_need(context, 0, &x, err));
    if (x->shape.rank < 2)
        return oq_fail(err, ONNXQ_BAD_MODEL, "SoftmaxCrossEntropyLoss: the scores need an axis of classes");
    oq_tensor scores = {.dtype = x->dtype, .shape = x->shape}, *kept;
    if (oq_wanted(context, 1)) {
        OQ_TRY(oq_out(context, 1, x->dtype, &x->shape, &kept, err));
        scores.data = kept->data;
    } else {
        scores.data = oq_scratch(context, oq_tensor_bytes(x), err);
        if (!scores.data) return ONNXQ_NO_MEMORY;
    }
    OQ_TRY(oq_softmax_apply(context, OQ_LOG_SOFTMAX, x->dtype, oq_axis_view_of(&x->shape, 1), x->data,
                            scores.data, err));
    return oq_loss_run(context, &scores, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    OQ_TRY(oq_infer_loss(context, err));
    if (context->output_count > 1 && context->in[0]) oq_infer_set_type(context, 1, context->in[0]);
    return ONNXQ_OK;
}

static const oq_type_set types_12[] = {{"T", OQ_T_FLOATS3}, {"Tind", OQ_T_INDEX}, {0}};
static const oq_type_set types_13[] = {{"T", OQ_T_FLOATS4}, {"Tind", OQ_T_INDEX}, {0}};
static const oq_attr_spec attrs_12[] = {
    {"ignore_index", OQ_ATTR_INT, false}, {"reduction", OQ_ATTR_STRING, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 12,
     .signature = "scores:T, labels:Tind, weights?:T -> output:T, log_prob?:T",
     .types = types_12,
     .attrs = attrs_12,
     .infer = infer,
     .run = run},
    {.since = 13,
     .signature = "scores:T, labels:Tind, weights?:T -> output:T, log_prob?:T",
     .types = types_13,
     .attrs = attrs_12,
     .infer = infer,
     .run = run},
};

OQ_ONNX_OP(SoftmaxCrossEntropyLoss, versions);
