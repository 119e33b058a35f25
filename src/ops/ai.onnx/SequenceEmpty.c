// SequenceEmpty: a sequence of nothing.
#include "ops/lib/sequence.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_out_sequence(context, 0, NULL, 0, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    oq_dtype dtype;
    OQ_TRY(oq_infer_dtype_attr(context, "dtype", ONNXQ_FLOAT, &dtype, err));
    const oq_type elem = oq_type_tensor(dtype, -1, NULL);
    return oq_infer_set_container(context, 0, OQ_TYPE_SEQUENCE, &elem, err);
}

static const oq_op_version versions[] = {
    {.since = 11,
     .signature = "-> output:S",
     .types = OQ_TYPES({"S", OQ_T_SEQUENCE}),
     .attrs = OQ_ATTRS({"dtype", OQ_ATTR_INT, false}),
     .infer = infer,
     .run = run},
};

OQ_ONNX_OP(SequenceEmpty, versions);
