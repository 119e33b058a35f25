// Hardmax: 1 at the first greatest element along an axis, 0 elsewhere.
#include "ops/lib/softmax.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_softmax_run(context, OQ_HARDMAX, err);
}

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_13[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs_1[] = {{"axis", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "input:T -> output:T",
     .types = types_1,
     .attrs = attrs_1,
     .infer = oq_infer_unary,
     .run = run},
    {.since = 11,
     .signature = "input:T -> output:T",
     .types = types_1,
     .attrs = attrs_1,
     .infer = oq_infer_unary,
     .run = run},
    {.since = 13,
     .signature = "input:T -> output:T",
     .types = types_13,
     .attrs = attrs_1,
     .infer = oq_infer_unary,
     .run = run,
     .upgrade = oq_upgrade_softmax},
};

OQ_ONNX_OP(Hardmax, versions);
