// Sum: the sum of all inputs, broadcast.
#include "kernels/rows.h"
#include "ops/lib/elementwise.h"
#include "ops/lib/variadic.h"

OQ_BINARY_ROWS(f32, OQ_ROWS_ADD)
OQ_BINARY_LOOP(f64, double, a + b)

static const oq_binary formula = {.loop = {[OQ_WORK_F32] = f32, [OQ_WORK_F64] = f64}};

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_variadic_run(context, &formula, false, err);
}

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_13[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs_1[] = {{"consumed_inputs", OQ_ATTR_INTS, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "data_0+:T -> sum:T",
     .types = types_1,
     .attrs = attrs_1,
     .infer = oq_infer_binary,
     .run = run},
    {.since = 6,
     .signature = "data_0+:T -> sum:T",
     .types = types_1,
     .infer = oq_infer_binary,
     .run = run,
     .upgrade = oq_upgrade_consumed},
    {.since = 8, .signature = "data_0+:T -> sum:T", .types = types_1, .infer = oq_infer_binary, .run = run},
    {.since = 13, .signature = "data_0+:T -> sum:T", .types = types_13, .infer = oq_infer_binary, .run = run},
};

OQ_ONNX_OP(Sum, versions);
