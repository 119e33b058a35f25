// BitCast: the same bits read as another type of the same width.
#include "ops/lib/elementwise.h"
#include "ops/lib/work.h"

#include <string.h>

static oq_status read_to(const oq_node *node, oq_dtype *out, oq_error *err) {
    const int64_t to = oq_node_int(node, "to", 0);
    if (to <= 0 || to >= ONNXQ_DTYPE_COUNT || to == ONNXQ_STRING)
        return oq_fail(err, ONNXQ_BAD_MODEL, "BitCast: attribute to names no data type of fixed size");
    *out = (oq_dtype)to;
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    oq_dtype dtype = ONNXQ_UNDEFINED;
    OQ_TRY(read_to(context->node, &dtype, err));
    if (!context->output_count) return ONNXQ_OK;
    oq_infer_set_dtype(context, 0, dtype);
    if (context->in[0] && context->in[0]->kind == OQ_TYPE_TENSOR) context->out[0] = *context->in[0];
    context->out[0].dtype = dtype;
    return ONNXQ_OK;
}

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_tensor *x;
    oq_tensor *y;
    oq_dtype dtype = ONNXQ_UNDEFINED;
    OQ_TRY(oq_need(context, 0, &x, err));
    OQ_TRY(read_to(context->node, &dtype, err));
    if (oq_dtype_info(x->dtype)->bits != oq_dtype_info(dtype)->bits || x->dtype == ONNXQ_STRING)
        return oq_fail(err, ONNXQ_BAD_MODEL, "BitCast from %s to %s: the widths differ",
                       onnxq_dtype_name(x->dtype), onnxq_dtype_name(dtype));
    const size_t count = (size_t)oq_tensor_count(x);
    const void *const from = x->data;
    const oq_dtype source = x->dtype;
    OQ_TRY(oq_out_reuse(context, 0, 0, dtype, &x->shape, &y, err));
    if (!oq_dtype_is_sub_byte(dtype)) {
        if (count) memmove(y->data, from, count * oq_dtype_bytes(dtype));
        return ONNXQ_OK;
    }
    // In memory an element of less than a byte is extended to one, by its own type's rule.
    uint8_t packed[OQ_BLOCK];
    for (size_t at = 0; at < count; at += OQ_BLOCK) {
        const size_t n = oq_min_size(OQ_BLOCK, count - at);
        oq_pack(source, oq_at(from, at, 1), packed, n);
        oq_unpack(dtype, packed, oq_at_mutable(y->data, at, 1), n);
    }
    return ONNXQ_OK;
}

static const oq_type_set types_26[] = {
    {"T1", OQ_T_ALL25 & ~OQ_T(STRING)}, {"T2", OQ_T_ALL25 & ~OQ_T(STRING)}, {0}};
static const oq_attr_spec attrs_26[] = {{"to", OQ_ATTR_INT, true}, {0}};

static const oq_op_version versions[] = {
    {.since = 26,
     .signature = "input:T1 -> output:T2",
     .types = types_26,
     .attrs = attrs_26,
     .infer = infer,
     .run = run},
};

OQ_ONNX_OP(BitCast, versions);
