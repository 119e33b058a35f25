// Mean: the arithmetic mean of all inputs, broadcast.
#include "kernels/rows.h"
#include "ops/lib/elementwise.h"
#include "ops/lib/variadic.h"

OQ_BINARY_ROWS(f32, OQ_ROWS_ADD)
OQ_BINARY_LOOP(f64, double, a + b)

static const oq_binary formula = {.loop = {[OQ_WORK_F32] = f32, [OQ_WORK_F64] = f64}};

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_variadic_run(context, &formula, true, err);
}

static const oq_op_version versions[] = {
    OQ_VERSIONS_VARIADIC_1_6_8("data_0+:T -> mean:T", oq_infer_binary),
    OQ_VERSION_VARIADIC(13, "data_0+:T -> mean:T", OQ_T_FLOATS4, oq_infer_binary)};

OQ_ONNX_OP(Mean, versions);
