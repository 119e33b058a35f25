// Div: the quotient of two tensors, broadcast; integers are cut towards zero, and 0 when divided by 0.
#include "kernels/rows.h"
#include "ops/lib/binary.h"
#include "ops/lib/elementwise.h"

OQ_BINARY_ROWS(f32, OQ_ROWS_DIV)
OQ_BINARY_LOOP(f64, double, a / b)
OQ_BINARY_LOOP(i64, int64_t, oq_wrap_div(a, b))
OQ_BINARY_LOOP(u64, uint64_t, b ? a / b : 0)

// Sizes computed by the model itself (Shape arithmetic).
static oq_dim dims(oq_dim a, oq_dim b) {
    int64_t x, y;
    if (!oq_dim_is_number(b, &y)) return OQ_DIM_ANONYMOUS;
    return oq_dim_is_number(a, &x) ? oq_dim_number(oq_wrap_div(x, y)) : oq_dim_divide(a, y);
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    OQ_TRY(oq_infer_binary(context, err));
    return oq_infer_elements_binary(context, dims, err);
}

static const oq_binary formula = OQ_BINARY_NUMBERS;
OQ_BINARY_RUN(formula)

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_6[] = {{"T", OQ_T_FLOATS3 | OQ_T_INDEX | OQ_T(UINT32) | OQ_T(UINT64)}, {0}};
static const oq_type_set types_13[] = {{"T", OQ_T_FLOATS4 | OQ_T_INDEX | OQ_T(UINT32) | OQ_T(UINT64)}, {0}};
static const oq_type_set types_14[] = {{"T", OQ_T_NUMERIC4}, {0}};
static const oq_attr_spec attrs_1[] = {{"axis", OQ_ATTR_INT, false},
                                       {"consumed_inputs", OQ_ATTR_INTS, false},
                                       {"broadcast", OQ_ATTR_INT, false},
                                       {0}};
static const oq_attr_spec attrs_6[] = {{"axis", OQ_ATTR_INT, false}, {"broadcast", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "A:T, B:T -> C:T",
     .types = types_1,
     .attrs = attrs_1,
     .infer = oq_infer_unary,
     .run = run},
    {.since = 6,
     .signature = "A:T, B:T -> C:T",
     .types = types_6,
     .attrs = attrs_6,
     .infer = oq_infer_unary,
     .run = run,
     .upgrade = oq_upgrade_consumed},
    {.since = 7,
     .signature = "A:T, B:T -> C:T",
     .types = types_6,
     .infer = infer,
     .run = run,
     .upgrade = oq_upgrade_broadcast},
    {.since = 13, .signature = "A:T, B:T -> C:T", .types = types_13, .infer = infer, .run = run},
    {.since = 14, .signature = "A:T, B:T -> C:T", .types = types_14, .infer = infer, .run = run},
};

OQ_ONNX_OP(Div, versions);
