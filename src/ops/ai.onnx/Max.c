// Max: the greatest of all inputs, broadcast; NaN wins.
#include "ops/lib/elementwise.h"
#include "ops/lib/variadic.h"

OQ_BINARY_LOOP(f32, float, (a > b) | (a != a) ? a : b)
OQ_BINARY_LOOP(f64, double, (a > b) | (a != a) ? a : b)
OQ_BINARY_LOOP(i64, int64_t, a > b ? a : b)
OQ_BINARY_LOOP(u64, uint64_t, a > b ? a : b)

// Sizes computed by the model itself (Shape arithmetic).
static oq_dim dims(oq_dim a, oq_dim b) {
    int64_t x, y;
    const bool a_known = oq_dim_is_number(a, &x), b_known = oq_dim_is_number(b, &y);
    return a_known && b_known ? (x > y ? a : b) : oq_dim_same(a, b) ? a : OQ_DIM_ANONYMOUS;
}

static oq_status infer(oq_infer_context *context, oq_error *err) {
    OQ_TRY(oq_infer_binary(context, err));
    return context->input_count == 2 ? oq_infer_elements_binary(context, dims, err) : ONNXQ_OK;
}

static const oq_binary formula = OQ_BINARY_NUMBERS;

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_variadic_run(context, &formula, false, err);
}

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_12[] = {{"T", OQ_T_NUMERIC3}, {0}};
static const oq_type_set types_13[] = {{"T", OQ_T_NUMERIC4}, {0}};
static const oq_attr_spec attrs_1[] = {{"consumed_inputs", OQ_ATTR_INTS, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "data_0+:T -> max:T",
     .types = types_1,
     .attrs = attrs_1,
     .infer = infer,
     .run = run},
    {.since = 6,
     .signature = "data_0+:T -> max:T",
     .types = types_1,
     .infer = infer,
     .run = run,
     .upgrade = oq_upgrade_consumed},
    {.since = 8, .signature = "data_0+:T -> max:T", .types = types_1, .infer = infer, .run = run},
    {.since = 12, .signature = "data_0+:T -> max:T", .types = types_12, .infer = infer, .run = run},
    {.since = 13, .signature = "data_0+:T -> max:T", .types = types_13, .infer = infer, .run = run},
};

OQ_ONNX_OP(Max, versions);
