// RandomUniformLike: uniform numbers from a seed, in the shape of another tensor.
#include "ops/lib/random_fill.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_random_fill_like(context, oq_random_draw_uniform, oq_node_float(context->node, "low", 0.0f),
                               oq_node_float(context->node, "high", 1.0f), err);
}

static const oq_type_set types_1[] = {{"T1", OQ_T_ALL1}, {"T2", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_22[] = {{"T1", OQ_T_ALL13}, {"T2", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs_1[] = {{"dtype", OQ_ATTR_INT, false},
                                       {"seed", OQ_ATTR_FLOAT, false},
                                       {"high", OQ_ATTR_FLOAT, false},
                                       {"low", OQ_ATTR_FLOAT, false},
                                       {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "input:T1 -> output:T2",
     .types = types_1,
     .attrs = attrs_1,
     .infer = oq_infer_random_like,
     .run = run},
    {.since = 22,
     .signature = "input:T1 -> output:T2",
     .types = types_22,
     .attrs = attrs_1,
     .infer = oq_infer_random_like,
     .run = run},
};

OQ_OP(ai_onnx, RandomUniformLike, "", versions, OQ_OP_RANDOM);
