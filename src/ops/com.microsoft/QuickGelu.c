// QuickGelu: x * sigmoid(alpha * x).
#include "ops/lib/elementwise.h"
#include "ops/lib/gelu.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_unary_run(context, &oq_swish, (double)oq_node_float(context->node, "alpha", 1.702F), 0, err);
}

static const oq_type_set types[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs[] = {{"alpha", OQ_ATTR_FLOAT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "X:T -> Y:T",
     .types = types,
     .attrs = attrs,
     .infer = oq_infer_unary,
     .run = run},
};
OQ_MICROSOFT_OP(QuickGelu, versions);
