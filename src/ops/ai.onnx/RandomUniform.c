// RandomUniform: uniform numbers from a seed, in a given shape.
#include "ops/lib/random_fill.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_random_fill_shape(context, oq_random_draw_uniform, oq_node_float(context->node, "low", 0.0f),
                                oq_node_float(context->node, "high", 1.0f), err);
}

static const oq_op_version versions[] = {OQ_VERSIONS_RANDOM("low", "high")};

OQ_OP(ai_onnx, RandomUniform, "", versions, OQ_OP_RANDOM);
