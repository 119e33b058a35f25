// ConvTranspose: no runtime has an integer kernel for it and the standard has no integer operator, so it
// stays float.
#include "quant/rule.h"

static oq_status describe(oq_graph *graph, const oq_node *node, oq_arena *arena, oq_layer *out,
                          const char **reason, oq_error *err) {
    (void)graph, (void)arena, (void)err;
    *out = oq_layer_make(OQ_LAYER_CONV, node);
    *reason = "ONNX has no integer transposed convolution";
    return ONNXQ_OK;
}

const oq_rule oq_rule_ConvTranspose = {
    .op_type = "ConvTranspose", .kind = OQ_RULE_COMPUTE, .describe = describe};
