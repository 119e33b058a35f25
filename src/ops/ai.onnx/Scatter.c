// Scatter: the name of ScatterElements until opset 11.
#include "ops/lib/scatter.h"
#include "ops/lib/schema.h"
#include "ops/lib/upgrade.h"

static oq_status upgrade_11(oq_upgrade_context *context, oq_error *err) {
    return oq_upgrade_rename(context, "ScatterElements", err);
}

#define VERSION(SINCE, UPGRADE)                                                                              \
    {                                                                                                        \
        .since = SINCE, .signature = "data:T, indices:Tind, updates:T -> output:T",                          \
        .types = OQ_TYPES({"T", OQ_T_ALL1}, {"Tind", OQ_T_INDEX}),                                           \
        .attrs = OQ_ATTRS({"axis", OQ_ATTR_INT, false}), .infer = oq_infer_unary,                            \
        .run = oq_run_scatter_elements, .upgrade = UPGRADE                                                   \
    }

static const oq_op_version versions[] = {VERSION(9, NULL), VERSION(11, upgrade_11)};

OQ_ONNX_OP(Scatter, versions);
