// Momentum: a step along a decaying sum of gradients, Nesterov's look ahead included.
#include "ops/lib/optimizer.h"

#include <string.h>

typedef struct attributes {
    double norm, alpha, beta;
    bool nesterov;
} attributes;

static void formula(const oq_optimizer_step *step, double g, double *x, double *s) {
    const attributes *a = step->self;
    const double gradient = a->norm * *x + g;
    s[0] = a->alpha * s[0] + (step->count > 0 ? a->beta : 1) * gradient;
    *x -= step->rate * (a->nesterov ? gradient + a->alpha * s[0] : s[0]);
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_node *node = context->node;
    const char *mode = oq_node_string(node, "mode", "");
    const attributes a = {.norm = (double)oq_node_float(node, "norm_coefficient", 0),
                          .alpha = (double)oq_node_float(node, "alpha", 0),
                          .beta = (double)oq_node_float(node, "beta", 0),
                          .nesterov = strcmp(mode, "nesterov") == 0};
    if (!a.nesterov && strcmp(mode, "standard") != 0)
        return oq_fail(err, ONNXQ_BAD_MODEL, "mode of Momentum is '%s', not nesterov or standard", mode);
    return oq_optimizer_run(context, 1, formula, &a, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    return oq_infer_optimizer(context, 1, err);
}

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = OQ_OPTIMIZER_SIGNATURE,
     .types = OQ_OPTIMIZER_TYPES,
     .attrs = OQ_ATTRS({"alpha", OQ_ATTR_FLOAT, true}, {"beta", OQ_ATTR_FLOAT, true},
                       {"mode", OQ_ATTR_STRING, true}, {"norm_coefficient", OQ_ATTR_FLOAT, true}),
     .infer = infer,
     .run = run},
};

OQ_OP(ai_onnx_preview_training, Momentum, "ai.onnx.preview.training", versions, OQ_OP_PLAIN);
