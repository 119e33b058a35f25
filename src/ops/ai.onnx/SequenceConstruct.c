// SequenceConstruct: a sequence of its inputs.
#include "ops/lib/sequence.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    for (size_t i = 0; i < context->input_count; ++i)
        if (!oq_in(context, i))
            return oq_fail(err, ONNXQ_BAD_MODEL, "input %zu of SequenceConstruct is missing or no tensor", i);
    return oq_out_sequence(context, 0, context->in, context->input_count, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    oq_type elem = {.kind = OQ_TYPE_UNKNOWN};
    for (size_t i = 0; i < context->input_count; ++i)
        if (oq_infer_in(context, i)) OQ_TRY(oq_infer_union(context, &elem, context->in[i], err));
    return oq_infer_set_container(context, 0, OQ_TYPE_SEQUENCE, &elem, err);
}

static const oq_op_version versions[] = {
    {.since = 11,
     .signature = "inputs+:T -> output_sequence:S",
     .types = OQ_TYPES({"S", OQ_T_SEQUENCE}, {"T", OQ_T_ALL1}),
     .infer = infer,
     .run = run},
};

OQ_ONNX_OP(SequenceConstruct, versions);
