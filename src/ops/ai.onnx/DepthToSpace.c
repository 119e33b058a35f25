// DepthToSpace: channels to blocks of pixels.
#include "ops/lib/depth_space.h"

#define BLOCK                                                                                                \
    { "blocksize", OQ_ATTR_INT, true }
#define VERSION(SINCE, SET, ...)                                                                             \
    {                                                                                                        \
        .since = SINCE, .signature = "input:T -> output:T", .types = OQ_TYPES({"T", SET}),                   \
        .attrs = OQ_ATTRS(__VA_ARGS__), .infer = oq_infer_depth_to_space, .run = oq_run_depth_to_space       \
    }

static const oq_op_version versions[] = {
    VERSION(1, OQ_T_ALL1, BLOCK),
    VERSION(11, OQ_T_ALL1, BLOCK, {"mode", OQ_ATTR_STRING, false}),
    VERSION(13, OQ_T_ALL13, BLOCK, {"mode", OQ_ATTR_STRING, false}),
    VERSION(28, OQ_T_ALL13, BLOCK, {"mode", OQ_ATTR_STRING, false}),
};

OQ_ONNX_OP(DepthToSpace, versions);
