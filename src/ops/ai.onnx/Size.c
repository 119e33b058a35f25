// Size: how many elements a tensor has.
#include "ops/lib/lists.h"
#include "ops/lib/schema.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *data;
    oq_tensor *out;
    const oq_shape scalar = {0};
    OQ_TRY(oq_need(context, 0, &data, err));
    OQ_TRY(oq_out(context, 0, ONNXQ_INT64, &scalar, &out, err));
    *(int64_t *)out->data = oq_tensor_count(data);
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_type *in = oq_infer_in(context, 0);
    oq_infer_set(context, 0, ONNXQ_INT64, 0, NULL);
    if (!in || in->rank < 0) return ONNXQ_OK;
    const oq_dim count = oq_dims_product(in->dim, (size_t)in->rank);
    return oq_infer_set_elements(context, 0, &count, 1, err);
}

#define VERSION(SINCE, SET)                                                                                  \
    {                                                                                                        \
        .since = SINCE, .signature = "data:T -> size:T1",                                                    \
        .types = OQ_TYPES({"T", SET}, {"T1", OQ_T(INT64)}), .infer = infer, .run = run                       \
    }

static const oq_op_version versions[] = {
    VERSION(1, OQ_T_ALL1),   VERSION(13, OQ_T_ALL13), VERSION(19, OQ_T_ALL19), VERSION(21, OQ_T_ALL21),
    VERSION(23, OQ_T_ALL23), VERSION(24, OQ_T_ALL24), VERSION(25, OQ_T_ALL25),
};

OQ_ONNX_OP(Size, versions);
