// NegativeLogLikelihoodLoss: minus the log-probability of the right class, weighted and reduced.
#include "ops/lib/loss.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *scores;
    OQ_TRY(oq_need(context, 0, &scores, err));
    return oq_loss_run(context, scores, err);
}

static const oq_type_set types_12[] = {{"T", OQ_T_FLOATS3}, {"Tind", OQ_T_INDEX}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {"Tind", OQ_T_INDEX}, {0}};
static const oq_attr_spec attrs_12[] = {
    {"ignore_index", OQ_ATTR_INT, false}, {"reduction", OQ_ATTR_STRING, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 12,
     .signature = "input:T, target:Tind, weight?:T -> loss:T",
     .types = types_12,
     .attrs = attrs_12,
     .infer = oq_infer_loss,
     .run = run},
    {.since = 13,
     .signature = "input:T, target:Tind, weight?:T -> loss:T",
     .types = types_12,
     .attrs = attrs_12,
     .infer = oq_infer_loss,
     .run = run},
    {.since = 22,
     .signature = "input:T, target:Tind, weight?:T -> loss:T",
     .types = types_22,
     .attrs = attrs_12,
     .infer = oq_infer_loss,
     .run = run},
};

OQ_ONNX_OP(NegativeLogLikelihoodLoss, versions);
