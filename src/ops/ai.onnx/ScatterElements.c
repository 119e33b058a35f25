// ScatterElements: a copy with one element per index replaced, or combined with an update.
#include "ops/lib/scatter.h"
#include "ops/lib/schema.h"

#define AXIS                                                                                                 \
    { "axis", OQ_ATTR_INT, false }
#define REDUCTION                                                                                            \
    { "reduction", OQ_ATTR_STRING, false }
#define VERSION(SINCE, SET, ...)                                                                             \
    {                                                                                                        \
        .since = SINCE, .signature = "data:T, indices:Tind, updates:T -> output:T",                          \
        .types = OQ_TYPES({"T", SET}, {"Tind", OQ_T_INDEX}), .attrs = OQ_ATTRS(__VA_ARGS__),                 \
        .infer = oq_infer_unary, .run = oq_run_scatter_elements                                              \
    }

static const oq_op_version versions[] = {
    VERSION(11, OQ_T_ALL1, AXIS),
    VERSION(13, OQ_T_ALL13, AXIS),
    VERSION(16, OQ_T_ALL13, AXIS, REDUCTION),
    VERSION(18, OQ_T_ALL13, AXIS, REDUCTION),
};

OQ_ONNX_OP(ScatterElements, versions);
