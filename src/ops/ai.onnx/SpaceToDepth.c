// SpaceToDepth: blocks of pixels to channels.
#include "ops/lib/depth_space.h"

#define BLOCK                                                                                                \
    { "blocksize", OQ_ATTR_INT, true }
#define VERSION(SINCE, SET, ...)                                                                             \
    {                                                                                                        \
        .since = SINCE, .signature = "input:T -> output:T", .types = OQ_TYPES({"T", SET}),                   \
        .attrs = OQ_ATTRS(__VA_ARGS__), .infer = oq_infer_space_to_depth, .run = oq_run_space_to_depth       \
    }

static const oq_op_version versions[] = {
    VERSION(1, OQ_T_ALL1, BLOCK),
    VERSION(13, OQ_T_ALL13, BLOCK),
    VERSION(28, OQ_T_ALL13, BLOCK, {"mode", OQ_ATTR_STRING, false}),
};

OQ_ONNX_OP(SpaceToDepth, versions);
