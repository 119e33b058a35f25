// Adam: a step along the averaged gradient over the root of the averaged squared gradient.
#include "ops/lib/optimizer.h"

#include <math.h>

typedef struct attributes {
    double alpha, beta, epsilon, norm, norm_after;
    double correction; // of the rate: the averages start at 0
} attributes;

static void formula(const oq_optimizer_step *step, double g, double *x, double *s) {
    const attributes *a = step->self;
    const double gradient = a->norm * *x + g;
    s[0] = a->alpha * s[0] + (1 - a->alpha) * gradient;
    s[1] = a->beta * s[1] + (1 - a->beta) * gradient * gradient;
    *x = (1 - a->norm_after) * (*x - step->rate * a->correction * s[0] / (sqrt(s[1]) + a->epsilon));
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_node *node = context->node;
    attributes a = {.alpha = (double)oq_node_float(node, "alpha", 0.9F),
                    .beta = (double)oq_node_float(node, "beta", 0.999F),
                    .epsilon = (double)oq_node_float(node, "epsilon", 1e-6F),
                    .norm = (double)oq_node_float(node, "norm_coefficient", 0),
                    .norm_after = (double)oq_node_float(node, "norm_coefficient_post", 0),
                    .correction = 1};
    const oq_tensor *count;
    OQ_TRY(oq_need(context, 1, &count, err));
    const double steps = oq_tensor_count(count) == 1 ? oq_tensor_get_f64(count, 0) : 0;
    if (steps > 0) a.correction = sqrt(1 - pow(a.beta, steps)) / (1 - pow(a.alpha, steps));
    return oq_optimizer_run(context, 2, formula, &a, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    return oq_infer_optimizer(context, 2, err);
}

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = OQ_OPTIMIZER_SIGNATURE,
     .types = OQ_OPTIMIZER_TYPES,
     .attrs = OQ_ATTRS({"alpha", OQ_ATTR_FLOAT, false}, {"beta", OQ_ATTR_FLOAT, false},
                       {"epsilon", OQ_ATTR_FLOAT, false}, {"norm_coefficient", OQ_ATTR_FLOAT, false},
                       {"norm_coefficient_post", OQ_ATTR_FLOAT, false}),
     .infer = infer,
     .run = run},
};

OQ_OP(ai_onnx_preview_training, Adam, "ai.onnx.preview.training", versions, OQ_OP_PLAIN);
