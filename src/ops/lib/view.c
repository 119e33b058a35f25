// Operators that give the same elements another shape.
#include "ops/lib/view.h"

void oq_infer_pass_elements(oq_infer_context *context) {
    size_t count;
    const oq_dim *elements = oq_infer_elements(context, 0, &count);
    const oq_type *out = &context->out[0];
    if (!elements || !context->output_count || out->kind != OQ_TYPE_TENSOR || out->rank < 0 || out->rank > 1)
        return;
    context->out_dims[0] = (oq_dim *)(uintptr_t)elements;
    context->out_dims_count[0] = count;
}
