// Gelu: x * Phi(x) with the normal distribution function: by erf, or by the tanh approximation.
#include "ops/lib/gelu.h"
#include "ops/lib/elementwise.h"

#include <string.h>

static oq_status run(oq_run_context *context, oq_error *err) {
    const char *approximate = oq_node_string(context->node, "approximate", "none");
    const bool tanh_form = strcmp(approximate, "tanh") == 0;
    if (!tanh_form && strcmp(approximate, "none") != 0)
        return oq_fail(err, ONNXQ_BAD_MODEL, "Gelu: attribute approximate is '%s', not none or tanh",
                       approximate);
    return oq_unary_run(context, tanh_form ? &oq_gelu_tanh : &oq_gelu_erf, 0, 0, err);
}

static const oq_type_set types_20[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs_20[] = {{"approximate", OQ_ATTR_STRING, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 20,
     .signature = "X:T -> Y:T",
     .types = types_20,
     .attrs = attrs_20,
     .infer = oq_infer_unary,
     .run = run},
};

OQ_ONNX_OP(Gelu, versions);
