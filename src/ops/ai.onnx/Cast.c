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

static const oq_type_set types_1[] = {
    {"T1", OQ_T_NUMERIC3 | OQ_T(BOOL)}, {"T2", OQ_T_NUMERIC3 | OQ_T(BOOL)}, {0}};
static const oq_type_set types_9[] = {{"T1", OQ_T_NUMERIC3 | OQ_T(BOOL) | OQ_T(STRING)},
                                      {"T2", OQ_T_NUMERIC3 | OQ_T(BOOL) | OQ_T(STRING)},
                                      {0}};
static const oq_type_set types_13[] = {{"T1", OQ_T_NUMERIC4 | OQ_T(BOOL) | OQ_T(STRING)},
                                       {"T2", OQ_T_NUMERIC4 | OQ_T(BOOL) | OQ_T(STRING)},
                                       {0}};
static const oq_type_set types_19[] = {{"T1", OQ_T_NUMERIC4 | OQ_T_FLOAT8 | OQ_T(BOOL) | OQ_T(STRING)},
                                       {"T2", OQ_T_NUMERIC4 | OQ_T_FLOAT8 | OQ_T(BOOL) | OQ_T(STRING)},
                                       {0}};
static const oq_type_set types_21[] = {{"T1", OQ_T_ALL21 & ~(OQ_T(COMPLEX128) | OQ_T(COMPLEX64))},
                                       {"T2", OQ_T_ALL21 & ~(OQ_T(COMPLEX128) | OQ_T(COMPLEX64))},
                                       {0}};
static const oq_type_set types_23[] = {{"T1", OQ_T_ALL23 & ~(OQ_T(COMPLEX128) | OQ_T(COMPLEX64))},
                                       {"T2", OQ_T_ALL23 & ~(OQ_T(COMPLEX128) | OQ_T(COMPLEX64))},
                                       {0}};
static const oq_type_set types_24[] = {{"T1", OQ_T_ALL24 & ~(OQ_T(COMPLEX128) | OQ_T(COMPLEX64))},
                                       {"T2", OQ_T_ALL24 & ~(OQ_T(COMPLEX128) | OQ_T(COMPLEX64))},
                                       {0}};
static const oq_type_set types_25[] = {{"T1", OQ_T_ALL25 & ~(OQ_T(COMPLEX128) | OQ_T(COMPLEX64))},
                                       {"T2", OQ_T_ALL25 & ~(OQ_T(COMPLEX128) | OQ_T(COMPLEX64))},
                                       {0}};
static const oq_type_set types_28[] = {
    {"T1", OQ_T_NUMERIC4 | OQ_T_FLOAT8 | OQ_T(BOOL) | OQ_T(FLOAT4E2M1) | OQ_T(FLOAT6E2M3) | OQ_T(FLOAT6E3M2) |
               OQ_T(FLOAT8E8M0) | OQ_T(INT2) | OQ_T(INT4) | OQ_T(STRING) | OQ_T(UINT2) | OQ_T(UINT4)},
    {"T2", OQ_T_NUMERIC4 | OQ_T_FLOAT8 | OQ_T(BOOL) | OQ_T(FLOAT4E2M1) | OQ_T(FLOAT6E2M3) | OQ_T(FLOAT6E3M2) |
               OQ_T(FLOAT8E8M0) | OQ_T(INT2) | OQ_T(INT4) | OQ_T(STRING) | OQ_T(UINT2) | OQ_T(UINT4)},
    {0}};
static const oq_attr_spec attrs_1[] = {{"to", OQ_ATTR_STRING, true}, {0}};
static const oq_attr_spec attrs_6[] = {{"to", OQ_ATTR_INT, true}, {0}};
static const oq_attr_spec attrs_19[] = {{"saturate", OQ_ATTR_INT, false}, {"to", OQ_ATTR_INT, true}, {0}};
static const oq_attr_spec attrs_24[] = {
    {"round_mode", OQ_ATTR_STRING, false}, {"saturate", OQ_ATTR_INT, false}, {"to", OQ_ATTR_INT, true}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "input:T1 -> output:T2",
     .types = types_1,
     .attrs = attrs_1,
     .infer = infer,
     .run = run},
    {.since = 6,
     .signature = "input:T1 -> output:T2",
     .types = types_1,
     .attrs = attrs_6,
     .infer = infer,
     .run = run,
     .upgrade = upgrade_6},
    {.since = 9,
     .signature = "input:T1 -> output:T2",
     .types = types_9,
     .attrs = attrs_6,
     .infer = infer,
     .run = run},
    {.since = 13,
     .signature = "input:T1 -> output:T2",
     .types = types_13,
     .attrs = attrs_6,
     .infer = infer,
     .run = run},
    {.since = 19,
     .signature = "input:T1 -> output:T2",
     .types = types_19,
     .attrs = attrs_19,
     .infer = infer,
     .run = run},
    {.since = 21,
     .signature = "input:T1 -> output:T2",
     .types = types_21,
     .attrs = attrs_19,
     .infer = infer,
     .run = run},
    {.since = 23,
     .signature = "input:T1 -> output:T2",
     .types = types_23,
     .attrs = attrs_19,
     .infer = infer,
     .run = run},
    {.since = 24,
     .signature = "input:T1 -> output:T2",
     .types = types_24,
     .attrs = attrs_24,
     .infer = infer,
     .run = run},
    {.since = 25,
     .signature = "input:T1 -> output:T2",
     .types = types_25,
     .attrs = attrs_24,
     .infer = infer,
     .run = run},
    {.since = 28,
     .signature = "input:T1 -> output:T2",
     .types = types_28,
     .attrs = attrs_24,
     .infer = infer,
     .run = run},
};

OQ_ONNX_OP(Cast, versions);
