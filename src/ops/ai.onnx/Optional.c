// Optional: an optional with a value, or without one.
#include "ops/lib/sequence.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_value *value = context->input_count ? context->in[0] : NULL;
    oq_list *list = oq_list_new(context->mem, value ? 1 : 0, err);
    if (!list) return ONNXQ_NO_MEMORY;
    if (value) list->items[0] = oq_value_retain(value);
    oq_out_take(context, 0, (oq_value){.kind = OQ_VALUE_OPTIONAL, .list = list});
    return ONNXQ_OK;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    const oq_attr *attr = oq_node_attr(context->node, "type");
    oq_type elem = {.kind = OQ_TYPE_UNKNOWN};
    if (context->input_count && context->in[0])
        elem = *context->in[0];
    else if (attr && attr->kind == OQ_ATTR_TYPE && attr->type)
        elem = *attr->type;
    return oq_infer_set_container(context, 0, OQ_TYPE_OPTIONAL, &elem, err);
}

#define VERSION(SINCE, SET)                                                                                  \
    {                                                                                                        \
        .since = SINCE, .signature = "input?:V -> output:O",                                                 \
        .types = OQ_TYPES({"V", (SET) | OQ_T_SEQUENCE}, {"O", OQ_T_OPTIONAL}),                               \
        .attrs = OQ_ATTRS({"type", OQ_ATTR_TYPE, false}), .infer = infer, .run = run                         \
    }

static const oq_op_version versions[] = {VERSION(15, OQ_T_ALL1), VERSION(28, OQ_T_ALL28)};

OQ_ONNX_OP(Optional, versions);
