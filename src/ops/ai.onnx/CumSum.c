// CumSum: the running sum along an axis.
#include "ops/lib/elementwise.h"
#include "ops/lib/scan.h"

OQ_BINARY_LOOP(f32, float, a + b)
OQ_BINARY_LOOP(f64, double, a + b)
OQ_BINARY_LOOP(i64, int64_t, oq_wrap_add(a, b))
OQ_BINARY_LOOP(u64, uint64_t, a + b)

static const oq_binary formula = OQ_BINARY_NUMBERS;

static oq_status run(oq_run_context *context, oq_error *err) {
    return oq_scan_run(context, &formula, 0, err);
}

static const oq_type_set types_11[] = {
    {"T", OQ_T_INDEX | OQ_T(DOUBLE) | OQ_T(FLOAT) | OQ_T(UINT32) | OQ_T(UINT64)}, {"T2", OQ_T_INDEX}, {0}};
static const oq_type_set types_14[] = {
    {"T", OQ_T_FLOATS4 | OQ_T_INDEX | OQ_T(UINT32) | OQ_T(UINT64)}, {"T2", OQ_T_INDEX}, {0}};
static const oq_attr_spec attrs_11[] = {
    {"reverse", OQ_ATTR_INT, false}, {"exclusive", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 11,
     .signature = "x:T, axis:T2 -> y:T",
     .types = types_11,
     .attrs = attrs_11,
     .infer = oq_infer_unary,
     .run = run},
    {.since = 14,
     .signature = "x:T, axis:T2 -> y:T",
     .types = types_14,
     .attrs = attrs_11,
     .infer = oq_infer_unary,
     .run = run},
};

OQ_ONNX_OP(CumSum, versions);
