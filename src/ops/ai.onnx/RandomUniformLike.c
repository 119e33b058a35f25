// RandomUniformLike: uniform numbers from a seed, in the shape of another tensor.
#include "ops/lib/random_fill.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_random_fill_like(context, oq_random_draw_uniform, oq_node_float(context->node, "low", 0.0f),
                               oq_node_float(context->node, "high", 1.0f), err);
}

static const oq_op_version versions[] = {OQ_VERSIONS_RANDOM_LIKE("low", "high")};

OQ_OP(ai_onnx, RandomUniformLike, "", versions, OQ_OP_RANDOM);
