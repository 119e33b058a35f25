// Where: elements of X where the condition holds, of Y elsewhere, broadcast.
#include "ops/lib/where.h"
#include "ops/lib/elementwise.h"

static oq_status infer(oq_infer_context *context, oq_error *err) {
    return oq_infer_broadcast(context, 0, context->input_count, oq_infer_dtype(context, 1), err);
}

static const oq_type_set types_9[] = {{"B", OQ_T(BOOL)}, {"T", OQ_T_ALL1}, {0}};
static const oq_type_set types_16[] = {{"B", OQ_T(BOOL)}, {"T", OQ_T_ALL13}, {0}};

static const oq_op_version versions[] = {
    {.since = 9,
     .signature = "condition:B, X:T, Y:T -> output:T",
     .types = types_9,
     .infer = infer,
     .run = oq_where_run},
    {.since = 16,
     .signature = "condition:B, X:T, Y:T -> output:T",
     .types = types_16,
     .infer = infer,
     .run = oq_where_run},
};

OQ_ONNX_OP(Where, versions);
