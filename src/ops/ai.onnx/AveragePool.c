// AveragePool: the mean of each window, with or without its padding.
#include "ops/lib/sum_pool.h"

static oq_status run(oq_run_context *context, oq_error *err) {
    const oq_sum_pool pool = {.count_include_pad = oq_node_int(context->node, "count_include_pad", 0) != 0};
    return oq_sum_pool_run(context, &pool, err);
}

#define RUNS .infer = oq_window_infer_pool, .run = run
static const oq_type_set types_1[] = {{"T", OQ_T_FLOATS3}, {0}};
static const oq_type_set types_22[] = {{"T", OQ_T_FLOATS4}, {0}};
static const oq_attr_spec attrs_1[] = {{"auto_pad", OQ_ATTR_STRING, false},
                                       {"kernel_shape", OQ_ATTR_INTS, true},
                                       {"pads", OQ_ATTR_INTS, false},
                                       {"strides", OQ_ATTR_INTS, false},
                                       {0}};
static const oq_attr_spec attrs_7[] = {
    {"auto_pad", OQ_ATTR_STRING, false},  {"count_include_pad", OQ_ATTR_INT, false},
    {"kernel_shape", OQ_ATTR_INTS, true}, {"pads", OQ_ATTR_INTS, false},
    {"strides", OQ_ATTR_INTS, false},     {0}};
static const oq_attr_spec attrs_10[] = {{"auto_pad", OQ_ATTR_STRING, false},
                                        {"ceil_mode", OQ_ATTR_INT, false},
                                        {"count_include_pad", OQ_ATTR_INT, false},
                                        {"kernel_shape", OQ_ATTR_INTS, true},
                                        {"pads", OQ_ATTR_INTS, false},
                                        {"strides", OQ_ATTR_INTS, false},
                                        {0}};
static const oq_attr_spec attrs_19[] = {
    {"auto_pad", OQ_ATTR_STRING, false},       {"ceil_mode", OQ_ATTR_INT, false},
    {"count_include_pad", OQ_ATTR_INT, false}, {"dilations", OQ_ATTR_INTS, false},
    {"kernel_shape", OQ_ATTR_INTS, true},      {"pads", OQ_ATTR_INTS, false},
    {"strides", OQ_ATTR_INTS, false},          {0}};

static const oq_op_version versions[] = {
    {.since = 1, .signature = "X:T -> Y:T", .types = types_1, .attrs = attrs_1, RUNS},
    {.since = 7, .signature = "X:T -> Y:T", .types = types_1, .attrs = attrs_7, RUNS},
    {.since = 10, .signature = "X:T -> Y:T", .types = types_1, .attrs = attrs_10, RUNS},
    {.since = 11, .signature = "X:T -> Y:T", .types = types_1, .attrs = attrs_10, RUNS},
    {.since = 19, .signature = "X:T -> Y:T", .types = types_1, .attrs = attrs_19, RUNS},
    {.since = 22, .signature = "X:T -> Y:T", .types = types_22, .attrs = attrs_19, RUNS},
};
OQ_ONNX_OP(AveragePool, versions);
