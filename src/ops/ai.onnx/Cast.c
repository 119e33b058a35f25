// Cast: elements converted to another type.
#include "ops/lib/convert.h"
#include "ops/lib/elementwise.h"

#include <string.h>

// Version 1 names the type ("FLOAT", "BFLOAT16", "INT8", ...), later ones give its number.
static oq_status read_to(const oq_node *node, oq_dtype *out, oq_error *err) {
    const oq_attr *to = oq_node_attr(node, "to");
    *out = ONNXQ_UNDEFINED;
    if (to && to->kind == OQ_ATTR_STRING) {
#define NAMED(name, number, bits, text)                                                                      \
    if (strcmp((const char *)to->s.data, #name) == 0) *out = ONNXQ_##name;
        ONNXQ_DTYPE_LIST(NAMED)
#undef NAMED
    } else if (to && to->kind == OQ_ATTR_INT && to->i > 0 && to->i < ONNXQ_DTYPE_COUNT) {
        *out = (oq_dtype)to->i;
    }
    if (*out != ONNXQ_UNDEFINED) return ONNXQ_OK;
    return oq_fail(err, ONNXQ_BAD_MODEL, "Cast: attribute to names no data type");
}

// Shapes go through int32 in models of some exporters: elements that fit stay what they are.
static oq_status pass_elements(oq_infer_context *context, oq_dtype dtype, oq_error *err) {
    size_t count;
    const oq_dim *elements = oq_infer_elements(context, 0, &count);
    if (!elements || (dtype != ONNXQ_INT64 && dtype != ONNXQ_INT32)) return ONNXQ_OK;
    for (size_t i = 0; i < count; i++) {
        int64_t value;
        if (oq_dim_is_number(elements[i], &value) && value != (int32_t)value && dtype == ONNXQ_INT32)
            return ONNXQ_OK;
    }
    return oq_infer_set_elements(context, 0, elements, count, err);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    oq_dtype dtype = ONNXQ_UNDEFINED;
    OQ_TRY(oq_infer_unary(context, err));
    OQ_TRY(read_to(context->node, &dtype, err));
    if (!context->output_count) return ONNXQ_OK;
    if (context->out[0].kind != OQ_TYPE_TENSOR) oq_infer_set_dtype(context, 0, dtype);
    context->out[0].dtype = dtype;
    return pass_elements(context, dtype, err);
}

static oq_status run(oq_run_context *context, oq_error *err) {
    oq_dtype dtype = ONNXQ_UNDEFINED;
    oq_convert_options options;
    OQ_TRY(read_to(context->node, &dtype, err));
    OQ_TRY(oq_convert_options_of(context->node, &options, err));
    return oq_convert_run(context, dtype, &options, err);
}

static oq_status upgrade_6(oq_upgrade_context *context, oq_error *err) {
    oq_dtype dtype = ONNXQ_UNDEFINED;
    OQ_TRY(read_to(context->node, &dtype, err));
    return oq_node_set_int(context->graph, context->node, "to", dtype, err);
}

#define VERSION(SINCE, SET, UPGRADE, ...)                                                                    \
    {                                                                                                        \
        .since = SINCE, .signature = "input:T1 -> output:T2", .types = OQ_TYPES({"T1", SET}, {"T2", SET}),   \
        .attrs = OQ_ATTRS(__VA_ARGS__), .infer = infer, .run = run, .upgrade = UPGRADE                       \
    }

static const oq_op_version versions[] = {
    VERSION(1, OQ_T_NUMERIC3 | OQ_T(BOOL), NULL, {"to", OQ_ATTR_STRING, true}),
    VERSION(6, OQ_T_NUMERIC3 | OQ_T(BOOL), upgrade_6, {"to", OQ_ATTR_INT, true}),
    VERSION(9, OQ_T_NUMERIC3 | OQ_T(BOOL) | OQ_T(STRING), NULL, {"to", OQ_ATTR_INT, true}),
    VERSION(13, OQ_CAST_TYPES_13, NULL, {"to", OQ_ATTR_INT, true}),
    VERSION(19, OQ_CAST_TYPES_13 | OQ_T_FLOAT8, NULL, {"to", OQ_ATTR_INT, true}, OQ_CAST_ATTRS_19),
    VERSION(21, OQ_T_ALL21 & ~OQ_T_COMPLEX, NULL, {"to", OQ_ATTR_INT, true}, OQ_CAST_ATTRS_19),
    VERSION(23, OQ_T_ALL23 & ~OQ_T_COMPLEX, NULL, {"to", OQ_ATTR_INT, true}, OQ_CAST_ATTRS_19),
    VERSION(24, OQ_T_ALL24 & ~OQ_T_COMPLEX, NULL, {"to", OQ_ATTR_INT, true}, OQ_CAST_ATTRS_24),
    VERSION(25, OQ_T_ALL25 & ~OQ_T_COMPLEX, NULL, {"to", OQ_ATTR_INT, true}, OQ_CAST_ATTRS_24),
    VERSION(28, OQ_T_ALL28 & ~OQ_T_COMPLEX, NULL, {"to", OQ_ATTR_INT, true}, OQ_CAST_ATTRS_24),
};

OQ_ONNX_OP(Cast, versions);
