// QLinearLeakyRelu: x, or alpha * x below 0, of an 8-bit tensor by table.
#include "ops/lib/infer.h"
#include "ops/lib/qlinear.h"

static void leaky_relu(const float *x, float *y, size_t n, float alpha) {
    for (size_t i = 0; i < n; i++) y[i] = x[i] < 0 ? alpha * x[i] : x[i];
}

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_qlinear_unary_run(context, leaky_relu, oq_node_float(context->node, "alpha", 0.01F), err);
}

static const oq_type_set types[] = {{"T", OQ_QLINEAR_T8}, {0}};
static const oq_attr_spec attrs[] = {{"alpha", OQ_ATTR_FLOAT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = OQ_QLINEAR_UNARY_SIGNATURE,
     .types = types,
     .attrs = attrs,
     .infer = oq_infer_unary,
     .run = run},
};
OQ_MICROSOFT_OP(QLinearLeakyRelu, versions);
