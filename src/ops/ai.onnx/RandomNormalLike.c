// RandomNormalLike: normal numbers from a seed, in the shape of another tensor.
#include "ops/lib/random_fill.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_random_fill_like(context, oq_random_draw_normal, oq_node_float(context->node, "mean", 0.0f),
                               oq_node_float(context->node, "scale", 1.0f), err);
}

static const oq_op_version versions[] = {OQ_VERSIONS_RANDOM_LIKE("mean", "scale")};

OQ_OP(ai_onnx, RandomNormalLike, "", versions, OQ_OP_RANDOM);
