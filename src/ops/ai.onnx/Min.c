// Min: the least of all inputs, broadcast; NaN wins.
#include "ops/lib/elementwise.h"
#include "ops/lib/variadic.h"

OQ_BINARY_LOOP(f32, float, (a < b) | (a != a) ? a : b)
OQ_BINARY_LOOP(f64, double, (a < b) | (a != a) ? a : b)
OQ_BINARY_LOOP(i64, int64_t, a < b ? a : b)
OQ_BINARY_LOOP(u64, uint64_t, a < b ? a : b)

// Sizes computed by the model itself (Shape arithmetic).
static oq_dim dims(oq_dim a, oq_dim b) {
    int64_t x, y;
    const bool a_known = oq_dim_is_number(a, &x), b_known = oq_dim_is_number(b, &y);
    return a_known && b_known ? (x < y ? a : b) : oq_dim_same(a, b) ? a : OQ_DIM_ANONYMOUS;
}
OQ_INFER_SIZES(dims)

static const oq_binary formula = OQ_BINARY_NUMBERS;

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_variadic_run(context, &formula, false, err);
}

static const oq_op_version versions[] = {OQ_VERSIONS_VARIADIC_1_6_8("data_0+:T -> min:T", infer),
                                         OQ_VERSION_VARIADIC(12, "data_0+:T -> min:T", OQ_T_NUMERIC3, infer),
                                         OQ_VERSION_VARIADIC(13, "data_0+:T -> min:T", OQ_T_NUMERIC4, infer)};

OQ_ONNX_OP(Min, versions);
