// Adagrad: a step along the gradient, shorter where gradients were large before.
#include "ops/lib/optimizer.h"

#include <math.h>

typedef struct attributes {
    double norm, decay, epsilon;
} attributes;

static void formula(const oq_optimizer_step *step, double g, double *x, double *s) {
    const attributes *a = step->self;
    const double gradient = a->norm * *x + g;
    s[0] += gradient * gradient;
    *x -= step->rate / (1 + step->count * a->decay) * gradient / (sqrt(s[0]) + a->epsilon);
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_node *node = context->node;
    const attributes a = {.norm = (double)oq_node_float(node, "norm_coefficient", 0),
                          .decay = (double)oq_node_float(node, "decay_factor", 0),
                          .epsilon = (double)oq_node_float(node, "epsilon", 1e-6F)};
    return oq_optimizer_run(context, 1, formula, &a, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    return oq_infer_optimizer(context, 1, err);
}

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = OQ_OPTIMIZER_SIGNATURE,
     .types = OQ_OPTIMIZER_TYPES,
     .attrs = OQ_ATTRS({"decay_factor", OQ_ATTR_FLOAT, false}, {"epsilon", OQ_ATTR_FLOAT, false},
                       {"norm_coefficient", OQ_ATTR_FLOAT, false}),
     .infer = infer,
     .run = run},
};

OQ_OP(ai_onnx_preview_training, Adagrad, "ai.onnx.preview.training", versions, OQ_OP_PLAIN);
