// ReduceL2: the square root of the sum of squares over axes.
#include "ops/lib/reduce.h"

static const oq_reduce steps = {.map = OQ_MAP_SQUARE, .combine = OQ_COMBINE_ADD, .finish = OQ_FINISH_SQRT};
OQ_REDUCE_RUN(steps)

static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3 | OQ_T_INDEX | OQ_T(UINT32) | OQ_T(UINT64)}, {0}};
static const oq_type_set types_13[] = {{"T", OQ_T_FLOATS4 | OQ_T_INDEX | OQ_T(UINT32) | OQ_T(UINT64)}, {0}};
static const oq_attr_spec attrs_1[] = {{"keepdims", OQ_ATTR_INT, false}, {"axes", OQ_ATTR_INTS, false}, {0}};
static const oq_attr_spec attrs_13[] = {{"axes", OQ_ATTR_INTS, false}, {"keepdims", OQ_ATTR_INT, false}, {0}};
static const oq_attr_spec attrs_18[] = {
    {"noop_with_empty_axes", OQ_ATTR_INT, false}, {"keepdims", OQ_ATTR_INT, false}, {0}};

static const oq_op_version versions[] = {
    {.since = 1,
     .signature = "data:T -> reduced:T",
     .types = types_1,
     .attrs = attrs_1,
     .infer = oq_infer_reduce,
     .run = run},
    {.since = 11,
     .signature = "data:T -> reduced:T",
     .types = types_1,
     .attrs = attrs_1,
     .infer = oq_infer_reduce,
     .run = run},
    {.since = 13,
     .signature = "data:T -> reduced:T",
     .types = types_13,
     .attrs = attrs_13,
     .infer = oq_infer_reduce,
     .run = run},
    {.since = 18,
     .signature = "data:T, axes?:int64 -> reduced:T",
     .types = types_13,
     .attrs = attrs_18,
     .infer = oq_infer_reduce,
     .run = run,
     .upgrade = oq_upgrade_reduce},
};

OQ_ONNX_OP(ReduceL2, versions);
