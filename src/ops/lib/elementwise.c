// Inference that the elementwise families share beside lib/infer.h.
#include "ops/lib/elementwise.h"

oq_status oq_infer_test(oq_infer_context *context, oq_error *err) {
    (void)err;
    if (!context->input_count || !context->output_count) return ONNXQ_OK;
    if (context->in[0] && context->in[0]->kind == OQ_TYPE_TENSOR) context->out[0] = *context->in[0];
    context->out[0].kind = OQ_TYPE_TENSOR;
    context->out[0].dtype = ONNXQ_BOOL;
    if (!context->in[0] || context->in[0]->kind != OQ_TYPE_TENSOR) context->out[0].rank = -1;
    return ONNXQ_OK;
}
