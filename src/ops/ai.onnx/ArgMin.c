// ArgMin: the index of the least element along an axis.
#include "ops/lib/arg.h"

OQ_BINARY_TEST(f32, float, a < b || (a != a && b == b))
OQ_BINARY_TEST(f64, double, a < b || (a != a && b == b))
OQ_BINARY_TEST(i64, int64_t, a < b)
OQ_BINARY_TEST(u64, uint64_t, a < b)

static const oq_binary beats = OQ_BINARY_RELATION;

static oq_status run(oq_run_context *context, oq_error *err) { return oq_arg_run(context, &beats, err); }

static const oq_type_set types_1[] = {{"T", OQ_T_NUMERIC3}, {0}};
static const oq_type_set types_13[] = {{"T", OQ_T_NUMERIC4}, {0}};
static const oq_attr_spec attrs_1[] = {{"keepdims", OQ_ATTR_INT, false}, {"axis", OQ_ATTR_INT, false}, {0}};
static const oq_attr_spec attrs_12[] = {{"select_last_index", OQ_ATTR_INT, false},
                                        {"keepdims", OQ_ATTR_INT, false},
                                        {"axis", OQ_ATTR_INT, false},
                                        {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "data:T -> reduced:int64",
     .types = types_1,
     .attrs = attrs_1,
     .infer = oq_infer_arg,
     .run = run},
    {.since = 11,
     .signature = "data:T -> reduced:int64",
     .types = types_1,
     .attrs = attrs_1,
     .infer = oq_infer_arg,
     .run = run},
    {.since = 12,
     .signature = "data:T -> reduced:int64",
     .types = types_1,
     .attrs = attrs_12,
     .infer = oq_infer_arg,
     .run = run},
    {.since = 13,
     .signature = "data:T -> reduced:int64",
     .types = types_13,
     .attrs = attrs_12,
     .infer = oq_infer_arg,
     .run = run},
};

OQ_ONNX_OP(ArgMin, versions);
